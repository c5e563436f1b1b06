"""Tunings with real workers: what is left when the host of a worker is lost, and when that of a server is."""

import csv
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tautune.analysis.trial_names import numbered
from tautune.trainables.continuing import CHECKPOINT_SECONDS
from tautune.trainables.supervised.trial_files import STATE, read_state
from tests.cluster.hosts import why_not
from tests.cluster.real_cluster import Cluster, wait_until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(700),
    pytest.mark.skipif(bool(why_not()), reason=f"the three-host cluster {why_not()}"),
]
SOURCE = """
from dataclasses import replace
from os import getpid
from pathlib import Path
from select import select
from socket import gethostname

from ray import tune
from torch import nn

from tautune.search_spaces import digits_mlp

SHARED = Path("/mnt/tautune/seen")


class Seen(nn.Module):
    def __init__(self, number):
        super().__init__()
        self.number, self.times = number, 0

    def forward(self, inputs):
        role = "worker" if self.training else "server"
        (SHARED / f"{{self.number}} {{role}} {{gethostname()}} {{getpid()}}").touch()
        self.times += 1
        select([], [], [], {seconds} if self.training else 0)
        gate = "begin" if self.times <= {limit} else "end"
        while self.training and not (SHARED / gate).exists():
            select([], [], [], 0.1)
        return inputs.flatten(1)


def model(shape, classes, *, number):
    return nn.Sequential(Seen(number), nn.Linear(64, classes))


SPACE = {{"number": tune.choice([0, 1]), "optimizer": "momentum", "learning_rate": 0.02, "batch_size": 64}}
STUDY = replace(digits_mlp.STUDY, name="seen", model=model, space=SPACE, search="grid", trials=1, scheduler="none")
"""
UPDATES, EPOCHS, WORKERS = 18, 32, 2
"""Updates in an epoch of 1,149 images; epochs; workers of a trial."""
SECONDS = 0.1
"""Time that a worker takes for a gradient."""
LIMIT = 24 * UPDATES // WORKERS
"""Gradients after which a worker waits for the test, so that no trial ends before its host has been lost."""


@dataclass
class Lost:
    """What was seen of two trials, of which a host had the server of one and a worker of the other."""

    folder: Path
    victim: str
    of_server: int
    """Number of the trial that lost its server."""
    seen_after: set[tuple[int, str, str]]
    """Each process that has begun since then: its trial's number, its role, and its host and number."""

    def row(self, number: int) -> dict[str, str]:
        """Returns a trial's row in trials.csv."""
        return next(row for row in rows_in(self.folder) if row["config/number"] == str(number))

    def applied(self, number: int) -> list[dict[str, int]]:
        """Returns the gradients that a trial has applied, as its delays.csv has them."""
        file = self.trial(number) / "delays.csv"
        return [{name: int(value) for name, value in line.items()} for line in csv.DictReader(file.open())]

    def trial(self, number: int) -> Path:
        """Returns a trial's folder."""
        return self.folder / "trials" / numbered(int(self.row(number)["number"]))


def rows_in(folder: Path) -> list[dict[str, str]]:
    file = folder / "trials.csv"
    return list(csv.DictReader(file.open())) if file.exists() else []


def epochs_of(folder: Path, number: int) -> int:
    return sum(int(row["epochs_trained"]) for row in rows_in(folder) if row["config/number"] == str(number))


def with_checkpoint(folder: Path) -> set[Path]:
    """Returns the folders of trials that have one."""
    return {file.parents[1] for file in folder.glob("trials/*/checkpoint_*/trial.json")}


def processes(cluster: Cluster) -> set[tuple[int, str, str]]:
    marks = [mark.name.split(" ", 2) for mark in (cluster.storage / "seen").glob("* * * *")]
    return {(int(number), role, process) for number, role, process in marks}


@pytest.fixture(scope="module")
def lost(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lost]:
    """Two trials whose servers are on two hosts, since each takes most of one; the host of one of them is killed."""
    source, folder, gates = tmp_path_factory.mktemp("seen"), cluster.storage / "lost", cluster.storage / "seen"
    gates.mkdir()
    (source / "seen.py").write_text(SOURCE.format(seconds=SECONDS, limit=LIMIT))
    most = 0.75 * (os.cpu_count() or 1)
    options = ("--workers", str(WORKERS), "--cpus-per-trial", str(most), "--cpus-per-worker", "0.1")
    cluster.submit("lost", "tune", "seen.py", "--max-epochs", str(EPOCHS), *options, working_dir=source)
    wait_until(lambda: len(processes(cluster)) == 2 * WORKERS, seconds=300, what="two workers of each of two trials")
    (gates / "begin").touch()
    wait_until(lambda: len(with_checkpoint(folder)) == 2, seconds=150, what="a checkpoint of each trial")
    at = [epochs_of(folder, number) for number in range(2)]
    wait_until(lambda: all(epochs_of(folder, n) > at[n] + 1 for n in range(2)), seconds=60, what="epochs after it")
    before = processes(cluster)
    servers = {process.split(" ")[0]: number for number, role, process in before if role == "server"}
    assert len(servers) == 2, before
    victim = next(host for host in cluster.workers if host.name in servers)
    of_server = servers[victim.name]
    victim.kill()
    then = epochs_of(folder, 1 - of_server)
    wait_until(lambda: epochs_of(folder, 1 - of_server) > then + 1, seconds=120, what="epochs without the lost worker")

    def are_replaced() -> bool:
        roles = [(number, role) for number, role, _ in processes(cluster) - before]
        return {(1 - of_server, "worker"), (of_server, "server")} <= set(roles)

    wait_until(are_replaced, seconds=240, what=f"a server and a worker in place of those on {victim.name}")
    (gates / "end").touch()
    job = cluster.wait_for("lost", seconds=240)
    assert job["status"] == "SUCCEEDED", job["message"]
    yield Lost(folder, victim.name, of_server, processes(cluster) - before)
    victim.start()
    cluster.hosts.wait_for(victim)


def check_applied(lost: Lost, number: int) -> list[dict[str, int]]:
    """Checks that a trial was trained to its end by updates that were each made once. Returns them."""
    row, applied = lost.row(number), lost.applied(number)
    assert (row["state"], row["epochs_trained"]) == ("finished", str(EPOCHS))
    assert [one["step"] for one in applied] == list(range(EPOCHS * UPDATES))
    for name in ("gradient", "batch"):
        assert len({one[name] for one in applied}) == len(applied)
    assert {one["worker"] for one in applied[-3 * UPDATES :]} == set(range(WORKERS))
    return applied


def test_without_a_workers_host_the_others_go_on_and_another_host_replaces_it(lost: Lost) -> None:
    number = 1 - lost.of_server
    check_applied(lost, number)
    assert lost.row(number)["epochs_run"] == str(EPOCHS)  # its server was there all the time
    [(_, role, process)] = [one for one in lost.seen_after if one[0] == number]
    assert role == "worker"
    assert not process.startswith(f"{lost.victim} ")


def test_without_its_servers_host_a_training_goes_on_from_its_checkpoint_on_another(lost: Lost) -> None:
    number = lost.of_server
    check_applied(lost, number)
    new = [(role, process) for one, role, process in lost.seen_after if one == number]
    assert sorted(role for role, _ in new) == ["server", "worker", "worker"]
    assert not any(process.startswith(f"{lost.victim} ") for _, process in new)
    interval = math.ceil(CHECKPOINT_SECONDS / (SECONDS * UPDATES / WORKERS)) + 1
    assert EPOCHS < int(lost.row(number)["epochs_run"]) <= EPOCHS + interval
    checkpoints = lost.trial(number).glob(f"checkpoint_*/{STATE}")
    state = read_state(max(checkpoints).read_bytes(), "cpu")["trainings"][0]
    assert state["optimizer"]["arriving"]["time"] == state["epochs"] * UPDATES  # as many updates as it has weights of
