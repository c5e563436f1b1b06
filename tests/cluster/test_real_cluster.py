"""`tautune up` on three hosts, jobs on them, hosts that die, and those who have no token: the real thing."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from tests.cluster.faults import WorkerFaults, check_whole, faulty_run, finished, kill_and_cut_off
from tests.cluster.hosts import why_not
from tests.cluster.real_cluster import ROOT, Cluster, add_names_like_ours, wait_until
from tests.cluster.slow_study import write_slow_study

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(400),
    pytest.mark.skipif(bool(why_not()), reason=f"the three-host cluster {why_not()}"),
]


@pytest.fixture(scope="module")
def worker_faults(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerFaults]:
    folder, may_begin = tmp_path_factory.mktemp("faults"), Event()
    with ThreadPoolExecutor(1) as pool:
        yield WorkerFaults(may_begin, pool.submit(kill_and_cut_off, cluster, cluster.workers[0], folder, may_begin))


def test_a_cluster_that_is_up_is_left_alone(cluster: Cluster) -> None:
    again = cluster.tautune("up", str(cluster.file))
    assert again.returncode == 2
    assert "a Ray cluster runs on" in again.stderr.splitlines()[-1]


def test_a_sweep_uses_every_host_and_finds_to_the_last_digit_what_one_machine_finds(
    cluster: Cluster, tmp_path: Path
) -> None:
    sweep = ["sweep", "digits", "--delays", "0,1,2,3,4,5", "--no-departures", "--resolution", "0.05"]
    here = ("--output", str(tmp_path / "here"))
    with ThreadPoolExecutor() as pool:
        alone = pool.submit(cluster.tautune, *sweep, *here, TAUTUNE_CACHE=str(tmp_path / "cache"))
        said = cluster.submit("sweep", *sweep, follow=True).stdout
    assert alone.result().returncode == 0, alone.result().stderr
    counts = re.search(r"trials by host: (.*)", said)
    assert counts is not None, said
    assert {part.split()[0] for part in counts[1].split(", ")} == {"tau1", "tau2", "tau3"}
    fetched = cluster.tautune("fetch", "sweep", str(tmp_path / "there"), "--cluster", str(cluster.file))
    assert fetched.returncode == 0, fetched.stderr
    there, here = (json.loads((tmp_path / name / "thresholds.json").read_text()) for name in ("there", "here"))
    assert there == here
    assert (tmp_path / "there" / "thresholds.png").stat().st_size > 10_000


def test_a_training_loop_of_the_users_own_runs_as_a_job(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "own_loop.py").write_bytes((ROOT / "examples/own_loop.py").read_bytes())
    add_names_like_ours(tmp_path)
    options = ("--trials", "6", "--max-epochs", "3", "--scheduler", "none")
    said = cluster.submit("loop", "tune", "own_loop.py", *options, follow=True, working_dir=tmp_path).stdout
    assert "6 of 6: trial" in said
    best = json.loads((cluster.storage / "loop/best.json").read_text())
    assert 0 < best["error"] < 2
    assert best["config"]["delay"] == 4
    assert list((cluster.storage / "loop/trials").glob("*/checkpoint_*/.tautune.json"))


TASKS = {
    "diabetes": ("rmse", "--folds", "2"),
    "sunspots": ("mae",),
    "python_bytes": ("bits_per_byte", "--examples", "3000"),
    "wordnet": ("accuracy", "--examples", "500"),
}
"""The studies of each task, with the metric of their trials, and what makes them small."""


def test_the_studies_of_every_task_run_as_jobs_beside_one_another(cluster: Cluster) -> None:
    """With data that each host has or makes itself, and models that only their trials build."""
    for study, (_, *options) in TASKS.items():
        few = ("--trials", "2", "--max-epochs", "1", "--scheduler", "none", "--cpus-per-trial", "0.1")
        cluster.submit(study, "tune", study, *few, *options)
    for study, (metric, *_) in TASKS.items():
        job = cluster.wait_for(study, seconds=240)
        assert job["status"] == "SUCCEEDED", job["message"]
        rows = [json.loads(line) for line in (cluster.storage / study / "trials.jsonl").read_text().splitlines()]
        assert [row["state"] for row in rows] == ["finished", "finished"]
        best = json.loads((cluster.storage / study / "best.json").read_text())
        assert 0 < best[f"validation_{metric}"] < 1e3


def test_what_cannot_work_is_one_line(cluster: Cluster, tmp_path: Path) -> None:
    text = cluster.file.read_text()
    dead, worker = f"{cluster.head.address[:-1]}99", cluster.workers[1].address
    wrong_key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(wrong_key)], check=True)
    cases = {
        f"{dead} cannot be reached by SSH": text.replace(worker, dead),
        "refuses": text.replace(str(cluster.hosts.key), str(wrong_key)),
        "unknown key max_worker; did you mean max_workers?": text.replace("max_workers", "max_worker"),
    }
    for message, content in cases.items():
        file = tmp_path / "cluster.yaml"
        file.write_text(content)
        done = cluster.tautune("up", str(file))
        assert done.returncode == 2, done.stderr
        assert message in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
    other = "cd ~/tautune && mv .venv away && mkdir -p .venv/bin && printf '#!/bin/sh\necho 3.12' > .venv/bin/python"
    cluster.hosts.ssh(cluster.workers[1], f"{other} && chmod +x .venv/bin/python")
    done = cluster.tautune("up", str(cluster.file))
    cluster.hosts.ssh(cluster.workers[1], "cd ~/tautune && rm -r .venv && mv away .venv")
    assert done.returncode == 2
    assert f"{worker} has Python 3.12 and the head {cluster.head.address} has 3." in done.stderr.splitlines()[-1]
    (tmp_path / "home/.ray").mkdir(parents=True)
    (tmp_path / "home/.ray/auth_token").write_text("expired")
    file.write_text(text.replace(str(cluster.hosts.key), str(wrong_key)))
    kept = cluster.tautune("down", str(file))
    assert kept.returncode == 2
    assert "refuses" in kept.stderr.splitlines()[-1]
    expired = cluster.tautune("jobs", "--cluster", str(cluster.file), HOME=str(tmp_path / "home"))
    assert expired.returncode == 2
    assert "does not take the token" in expired.stderr.splitlines()[-1]


def test_doctor_finds_everything_well_and_sees_what_is_not(cluster: Cluster, worker_faults: WorkerFaults) -> None:
    file = str(cluster.file)
    well = cluster.tautune("doctor", "--cluster", file, "--data", "digits")
    assert well.returncode == 0, well.stdout + well.stderr
    cluster.hosts.ssh(cluster.workers[0], "chmod 644 ~/.ray/auth_token")
    ill = cluster.tautune("doctor", "--cluster", file, "--json", "--gpus-per-trial", "1", "--storage", "/tmp/runs")
    cluster.hosts.ssh(cluster.workers[0], "chmod 600 ~/.ray/auth_token")
    assert ill.returncode == 1, ill.stderr
    bad = {v["check"]: v["found"] for v in json.loads(ill.stdout)["verdicts"] if not v["ok"]}
    assert set(bad) == {"token file", "storage", "a trial's share"}, bad
    assert cluster.workers[0].address in bad["token file"]
    assert "no disk that is shared" in bad["storage"]
    worker_faults.may_begin.set()


@pytest.mark.usefixtures("worker_faults")
def test_jobs_are_listed_stopped_and_missed(cluster: Cluster, tmp_path: Path) -> None:
    write_slow_study(tmp_path, epoch_seconds=0.5)
    options = ("--trials", "4", "--max-epochs", "500", "--search", "random", "--scheduler", "none")
    cluster.submit("endless", "tune", "slow.py", *options, "--cpus-per-trial", "0.1", working_dir=tmp_path)
    file = str(cluster.file)
    wait_until((cluster.storage / "endless/trials.csv").exists, seconds=100, what="the first epochs")
    for state in Path("/tmp/ray").glob("cluster-test.*"):  # Ray's own notes, which another laptop has not
        state.unlink()
    stopped = cluster.tautune("stop", "endless", "--cluster", file)
    assert (stopped.returncode, stopped.stdout.strip()) == (0, "endless: STOPPED"), stopped.stderr
    said = cluster.tautune("logs", "endless", "--cluster", file).stdout
    assert "tautune: stopped; the trials so far are in /mnt/tautune/endless\nTo go on:\n  tautune resume /mnt/" in said
    assert cluster.tautune("stop", "endless", "--cluster", file).returncode == 2
    missed = cluster.tautune("logs", "endles", "--cluster", file)
    assert missed.returncode == 2
    assert "tautune: there is no job endles; there are endless" in missed.stderr.splitlines()[-1]
    wrong = cluster.tautune("submit", "--cluster", file, "--follow", "--", "resume", "nothing", timeout=100)
    assert wrong.returncode == 2
    assert "nothing holds no run.json; give a folder" in wrong.stderr.splitlines()[-1]


@pytest.mark.usefixtures("worker_faults")
def test_tensorboard_on_the_head_is_seen_through_a_tunnel(cluster: Cluster) -> None:
    # Ctrl-C works also where the tests' own shell has it ignored
    command = ["env", "--default-signal=INT", sys.executable, "-m", "tautune", "board", "--cluster", str(cluster.file)]
    process = subprocess.Popen(
        [*command, "--port", "6123"], cwd=ROOT, env=cluster.environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert "http://127.0.0.1:6123/" in process.stdout.readline()
        wait_until(lambda: "sweep" in _answer("http://127.0.0.1:6123/data/runs"), seconds=60, what="the sweep's runs")
        where = "ss -ltnpH | grep -E \"pid=($(pgrep -d '|' -f '[t]autune board|[t]ensorboard')),\" | awk '{print $4}'"
        addresses = cluster.hosts.ssh(cluster.head, where).stdout.split()
        assert addresses
        assert all(address.startswith(("127.0.0.1:", "[::1]:")) for address in addresses), addresses
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
    assert cluster.hosts.ssh(cluster.head, "sleep 3; pgrep -f [t]ensorboard_data_server").returncode == 1


def _answer(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read())
    except OSError:
        return ""


@pytest.mark.usefixtures("worker_faults")
def test_an_outsider_is_refused_everywhere(cluster: Cluster) -> None:
    """From the fourth host, by Ray's own programs; with the token GCS and Ray client answer it, so they were there."""
    head = cluster.head.address
    hello = f"import ray; ray.init('ray://{head}:10001'); print('nodes', len(ray.nodes()))"
    attempts = {
        "GCS": f"ray status --address {head}:6379 && echo nodes",
        "Ray client": f'python -c "{hello}"',
        "dashboard": f"curl -sS -m 5 http://{head}:8265/ && echo nodes",
        "Jobs API": f"ray job list --address http://{head}:8265 && echo nodes",
    }
    patience = (
        "RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S=5 RAY_CLIENT_MAX_CONNECTION_TIMEOUT_S=5"  # thrice; not 5, 10, 20
    )
    there = f"export PATH=~/.tautune-venv/bin:$PATH {patience};"

    def answering(setting: str) -> set[str]:
        def answers(attempt: str) -> bool:
            return "nodes" in cluster.hosts.ssh(cluster.outsider, f"{there}{setting} {attempt}").stdout

        with ThreadPoolExecutor(len(attempts)) as pool:
            return {name for name, yes in zip(attempts, pool.map(answers, attempts.values()), strict=True) if yes}

    token = (cluster.laptop / ".ray/auth_token").read_text()
    assert answering(f"export RAY_AUTH_MODE=token RAY_AUTH_TOKEN={token};") == {"GCS", "Ray client"}
    with ThreadPoolExecutor() as pool:
        refused = ("export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=wrong;", "export RAY_AUTH_MODE=disabled;")
        assert list(pool.map(answering, refused)) == [set(), set()]
    inside = "curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8265/api/jobs/"
    assert cluster.hosts.ssh(cluster.head, inside).stdout == "401"
    assert cluster.hosts.ssh(cluster.head, f"{inside} -H 'Authorization: Bearer {token}'").stdout == "200"


def test_a_worker_that_was_killed_and_then_cut_off_lost_no_trial(worker_faults: WorkerFaults) -> None:
    check_whole(worker_faults.results.result())


def test_after_the_heads_death_a_resume_finishes(cluster: Cluster, tmp_path: Path) -> None:
    folder = faulty_run(cluster, "headless", tmp_path, cpus=0.6)
    wait_until(lambda: finished(folder) >= 2, seconds=100, what="the first trials")
    cluster.head.kill()
    cluster.head.start()
    cluster.hosts.wait_for(cluster.head)
    up = cluster.tautune("up", str(cluster.file))
    assert up.returncode == 0, up.stdout + up.stderr
    cluster.submit("resumed", "resume", "headless", working_dir=tmp_path)
    job = cluster.wait_for("resumed", seconds=250)
    assert job["status"] == "SUCCEEDED", job["message"]
    check_whole(folder)
