"""What befalls hosts in mid-run, and what is left of the runs: rarer and longer faults than `make test-cluster` has."""

import json
import random
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster.faults import check_finished, check_whole, faulty_run, finished, has_trials
from tests.cluster.hosts import Host, run, why_not
from tests.cluster.real_cluster import Cluster, cluster_that_is_up, wait_until
from tests.cluster.slow_network import slow
from tests.cluster.slow_study import write_slow_study

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(why_not()), reason=f"the three-host cluster {why_not()}"),
]
CUTS, CUT_SECONDS = 30, 25.0
"""Number of times that a host loses its network, and for how long in seconds: a run once hung after such a cut."""


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A new one for each test: the autoscaler never asks again for a host that it has given up."""
    with cluster_that_is_up(tmp_path_factory.mktemp("cluster")) as made:
        is_settled(made)
        yield made


def is_settled(cluster: Cluster) -> None:
    """Waits until the autoscaler has finished with both workers: it gives one up for good that fails meanwhile."""
    count = "grep -c 'New status.*up-to-date' /tmp/ray/session_latest/logs/monitor.out"
    wait_until(lambda: int(cluster.hosts.ssh(cluster.head, count).stdout or 0) >= 2, seconds=120, what="two workers")


def is_at_work(cluster: Cluster, host: Host) -> None:
    """Waits until there are trials on a host that had died: the autoscaler brings Ray up on it for a run that waits."""
    wait_until(lambda: has_trials(cluster, host), seconds=240, what=f"trials on {host.name}")


def test_a_slow_network_that_loses_frames_loses_no_trial(cluster: Cluster, tmp_path: Path) -> None:
    with slow(cluster.workers[0], seconds=0.2, loss=0.05):
        folder = faulty_run(cluster, "slow", tmp_path, cpus=0.9)
        job = cluster.wait_for("slow", seconds=600)
    assert job["status"] == "SUCCEEDED", job["message"]
    check_finished(folder)


def test_an_interruption_notice_of_a_spot_machine_loses_no_trial(cluster: Cluster, tmp_path: Path) -> None:
    """As providers do it: every process is asked to end, and the machine goes away some seconds later."""
    folder, worker = faulty_run(cluster, "spot", tmp_path, cpus=0.9), cluster.workers[1]
    cluster.hosts.ssh(worker, "nohup sh -c 'kill -TERM -1' >/dev/null 2>&1 &")
    time.sleep(5)
    worker.kill()
    worker.start()
    job = cluster.wait_for("spot", seconds=300)
    assert job["status"] == "SUCCEEDED", job["message"]
    check_whole(folder)


def test_eight_jobs_at_once_all_finish(cluster: Cluster, tmp_path: Path) -> None:
    write_slow_study(tmp_path, epoch_seconds=0.1)
    options = ("--trials", "4", "--max-epochs", "10", "--search", "random", "--scheduler", "none")
    names = [f"crowd{number}" for number in range(8)]

    def begin(name: str) -> None:
        cluster.submit(name, "tune", "slow.py", *options, "--cpus-per-trial", "0.1", working_dir=tmp_path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(begin, names))
    jobs = {name: cluster.wait_for(name, seconds=600) for name in names}
    for name, job in jobs.items():
        assert job["status"] == "SUCCEEDED", cluster.tautune("logs", name, "--cluster", str(cluster.file)).stdout
    for name in names:
        assert len((cluster.storage / name / "trials.jsonl").read_text().splitlines()) == 4
        assert finished(cluster.storage / name) == 4

    def at_work() -> list[str]:
        return [host.name for host in (cluster.head, *cluster.workers) if has_trials(cluster, host)]

    wait_until(lambda: not at_work(), seconds=60, what="no trial's process left")


@pytest.mark.timeout(3600)
def test_thirty_cuts_at_random_moments_hang_no_run(cluster: Cluster, tmp_path: Path) -> None:
    write_slow_study(tmp_path, epoch_seconds=0.5)
    options = ("--trials", "2000", "--max-epochs", "20", "--search", "random", "--scheduler", "none")
    cluster.submit("cuts", "tune", "slow.py", *options, "--cpus-per-trial", "0.6", working_dir=tmp_path)
    journal = cluster.storage / "cuts/journal.log"
    wait_until(journal.exists, seconds=150, what="the journal")
    draw, slowest = random.Random(0), 0.0
    for number in range(CUTS):
        worker = cluster.workers[draw.randrange(2)]
        time.sleep(draw.uniform(0, 15))
        worker.cut()
        time.sleep(CUT_SECONDS)
        worker.restore()
        begun, size = time.monotonic(), journal.stat().st_size
        wait_until(lambda size=size: journal.stat().st_size > size, seconds=120, what=f"events after cut {number}")
        slowest = max(slowest, time.monotonic() - begun)
    print(f"{CUTS} cuts of {CUT_SECONDS:.0f} s: the next event came {slowest:.1f} s after one at most")
    assert cluster.tautune("stop", "cuts", "--cluster", str(cluster.file)).returncode == 0


def test_after_the_heads_death_the_same_commands_finish_a_sweep_and_a_grid(cluster: Cluster, tmp_path: Path) -> None:
    sweep = ("sweep", "digits", "--delays", "0,1,2,3,4,5,6,7,8", "--no-departures")
    grid = (
        "grid",
        "digits",
        "--delays",
        "0,1,2,3",
        "--learning-rates",
        "0.001:0.4:500",
        "--steps",
        "2000",
        "--mini-batch",
        "32",
    )
    folders = {name: cluster.storage / name for name in ("sweep", "grid")}
    cluster.submit("sweep", *sweep, working_dir=tmp_path)
    cluster.submit("grid", *grid, working_dir=tmp_path)
    wait_until(lambda: list(folders["sweep"].rglob("*.json")), seconds=200, what="measurements")
    time.sleep(10)
    cluster.head.kill()
    cluster.head.start()
    cluster.hosts.wait_for(cluster.head)
    up = cluster.tautune("up", str(cluster.file))
    assert up.returncode == 0, up.stdout + up.stderr
    is_settled(cluster)
    for name, command in {"sweep": sweep, "grid": grid}.items():
        options = ("--cluster", str(cluster.file), "--name", f"{name}-again")
        there = ("--output", f"/mnt/tautune/{name}")
        done = cluster.tautune("submit", *options, "--", *command, *there, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    for name in folders:
        job = cluster.wait_for(f"{name}-again", seconds=500)
        assert job["status"] == "SUCCEEDED", cluster.tautune("logs", f"{name}-again", "--cluster", str(cluster.file))
    found = json.loads((folders["sweep"] / "thresholds.json").read_text())
    assert len(found["points"]) == 9
    trials = {path.name.partition("=")[0] for path in (folders["sweep"] / "trials").iterdir() if path.is_dir()}
    assert trials == {"minimum", "delay"}
    assert (folders["grid"] / "points.csv").read_bytes().count(b"\n") == 2001


def test_a_host_whose_clock_is_an_hour_ahead_is_as_good_as_another(cluster: Cluster, tmp_path: Path) -> None:
    library = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
    if not library.exists():
        pytest.skip("needs libfaketime (Debian: apt-get install libfaketime)")
    worker = cluster.workers[0]
    shell = worker.folder / "home/.bashrc"
    shell.write_text(f'export LD_PRELOAD={library} FAKETIME="+1h" FAKETIME_DONT_FAKE_MONOTONIC=1\n')
    try:
        worker.kill()
        worker.start()
        cluster.hosts.wait_for(worker)
        ahead = float(cluster.hosts.ssh(worker, "date +%s").stdout) - time.time()
        assert 3500 < ahead < 3700
        folder = faulty_run(cluster, "skew", tmp_path, cpus=0.9, gate="/mnt/tautune/gate")
        is_at_work(cluster, worker)
        (cluster.storage / "gate").touch()
        job = cluster.wait_for("skew", seconds=300)
        examined = cluster.tautune("doctor", "--cluster", str(cluster.file), "--json")
    finally:
        (cluster.storage / "gate").touch()
    assert job["status"] == "SUCCEEDED", job["message"]
    check_whole(folder)
    rows = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    assert worker.name in {row["host"] for row in rows}
    assert all(0 <= row["seconds"] < 300 for row in rows)
    bad = {verdict["check"] for verdict in json.loads(examined.stdout)["verdicts"] if not verdict["ok"]}
    assert bad == {"clocks"}, bad


def test_a_full_disk_on_one_host_loses_no_trial(cluster: Cluster, tmp_path: Path) -> None:
    """Its temporary folder, in which Ray keeps its logs and sockets, has no byte left; the shared disk has room."""
    worker = cluster.workers[0]
    worker.kill()
    run("mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(worker.folder / "tmp"))
    try:
        worker.start()
        folder = faulty_run(cluster, "full", tmp_path, cpus=0.9, gate="/mnt/tautune/gate")
        is_at_work(cluster, worker)
        cluster.hosts.ssh(worker, "cat /dev/zero > /tmp/fill; true")
        (cluster.storage / "gate").touch()
        job = cluster.wait_for("full", seconds=400)
        said = cluster.tautune("logs", "full", "--cluster", str(cluster.file)).stdout
    finally:
        (cluster.storage / "gate").touch()
        worker.kill()
        run("umount", "-l", str(worker.folder / "tmp"))
        worker.start()
    assert job["status"] == "SUCCEEDED", said[-3000:]
    check_finished(folder)


def test_a_host_that_runs_another_ray_is_told_from_the_others(cluster: Cluster, tmp_path: Path) -> None:
    """Ray refuses it, and the others do the work."""
    worker = cluster.workers[1]
    environment = worker.folder / "home/.tautune-venv"
    (packages,) = environment.glob("lib/python3*/site-packages")
    version = packages / "ray/_version.py"
    ray = packages / "ray"
    original = ray.resolve()
    ray.unlink()
    subprocess.run(["cp", "-r", str(original), str(ray)], check=True)
    version.write_text(version.read_text().replace('version = "2.', 'version = "1.'))
    worker.kill()
    worker.start()
    cluster.hosts.wait_for(worker)
    folder = faulty_run(cluster, "other", tmp_path, cpus=0.6)
    job = cluster.wait_for("other", seconds=300)
    assert job["status"] == "SUCCEEDED", job["message"]
    check_finished(folder)
    assert worker.name not in {json.loads(line)["host"] for line in (folder / "trials.jsonl").read_text().splitlines()}


def test_a_host_that_the_autoscaler_has_given_up_comes_back_with_up_update(cluster: Cluster, tmp_path: Path) -> None:
    worker = cluster.workers[0]
    ray = worker.folder / "home/.tautune-venv/bin/ray"
    ray.rename(ray.with_name("moved"))
    worker.kill()
    worker.start()
    folder = faulty_run(cluster, "given-up", tmp_path, cpus=0.9, gate="/mnt/tautune/gate")
    failed = "grep -c 'New status.*update-failed' /tmp/ray/session_latest/logs/monitor.out"
    wait_until(lambda: int(cluster.hosts.ssh(cluster.head, failed).stdout or 0) >= 1, seconds=200, what="a failure")
    ray.with_name("moved").rename(ray)
    time.sleep(20)
    assert not has_trials(cluster, worker)
    up = cluster.tautune("up", "--update", str(cluster.file))
    assert up.returncode == 0, up.stdout + up.stderr
    assert "3 of 3 machines" in up.stdout
    cluster.submit("again", "resume", "/mnt/tautune/given-up", working_dir=tmp_path)  # the update has ended the job
    is_at_work(cluster, worker)
    (cluster.storage / "gate").touch()
    job = cluster.wait_for("again", seconds=300)
    assert job["status"] == "SUCCEEDED", job["message"]
    check_whole(folder)
