"""What befalls the hosts of the test cluster during a run, and what must be left of the run after it."""

import csv
import math
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from tautune.trainables.continuing import CHECKPOINT_SECONDS
from tests.cluster.hosts import Host
from tests.cluster.real_cluster import Cluster, add_names_like_ours, wait_until
from tests.cluster.slow_study import write_slow_study

EPOCH_SECONDS, TRIALS, EPOCHS = 0.5, 12, 30
GATE_EPOCHS = 15
"""Number of epochs after which a trial waits for the test, so that no trial ends before its host has been lost."""


def finished(folder: Path) -> int:
    """Trials."""
    if not (folder / "trials.csv").exists():
        return 0
    return sum(row["state"] == "finished" for row in csv.DictReader((folder / "trials.csv").open()))


def faulty_run(cluster: Cluster, name: str, folder: Path, *, cpus: float, gate: str = "/") -> Path:
    """Submits it from a folder full of names like ours, with so much of a CPU a trial; returns its results."""
    add_names_like_ours(folder)
    write_slow_study(folder, epoch_seconds=EPOCH_SECONDS, epochs=GATE_EPOCHS, gate=gate)
    options = ("--trials", str(TRIALS), "--max-epochs", str(EPOCHS), "--search", "random", "--scheduler", "none")
    cluster.submit(name, "tune", "slow.py", *options, "--cpus-per-trial", str(cpus), working_dir=folder)
    results = cluster.storage / name
    wait_until((results / "trials.csv").exists, seconds=150, what="the first epochs")
    return results


def has_trials(cluster: Cluster, host: Host) -> bool:
    """Whether a trial's process runs on a host, under the name that Tune gives to its class."""
    return bool(cluster.hosts.ssh(host, "pgrep -f ray::ResourceTrainable").stdout)


@dataclass
class WorkerFaults:
    """What befalls a worker of a run, while the tests that need the head alone look at other things."""

    may_begin: Event
    results: Future[Path]


def kill_and_cut_off(cluster: Cluster, worker: Host, folder: Path, may_begin: Event) -> Path:
    """It dies, comes back and is at work again, loses its network, comes back."""
    results = faulty_run(cluster, "faults", folder, cpus=0.9, gate="/mnt/tautune/gate")  # leaves room for another job
    may_begin.wait(60)
    worker.kill()
    worker.start()  # as after a power cut; the autoscaler brings Ray up on it again
    wait_until(lambda: has_trials(cluster, worker), seconds=120, what="trials on a host that was killed")
    worker.cut()
    time.sleep(40)  # longer than Ray waits for a host, see environment.sh
    worker.restore()
    (cluster.storage / "gate").touch()
    job = cluster.wait_for("faults", seconds=200)
    assert job["status"] == "SUCCEEDED", job["message"]
    return results


def check_finished(folder: Path) -> list[dict[str, str]]:
    """Every trial is there once, and has been trained to its end. Returns the rows."""
    rows = list(csv.DictReader((folder / "trials.csv").open()))
    assert len(rows) == TRIALS == len({row["trial"] for row in rows})
    assert {row["state"] for row in rows} == {"finished"}
    assert {row["epochs_trained"] for row in rows} == {str(EPOCHS)}
    return rows


def check_whole(folder: Path) -> None:
    """So it is, and of no trial is more than a checkpoint's interval done again for each host lost."""
    rows = check_finished(folder)
    interval = math.ceil(CHECKPOINT_SECONDS / EPOCH_SECONDS) + 1
    assert all(int(row["epochs_run"]) <= EPOCHS + 2 * interval for row in rows)
