"""Workers as Ray actors, in the shared local Ray: what needs real processes."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector

import tautune
from tautune.records.delay_trace import read_delays
from tautune.trainables.asynchronous.replay import queue_delays
from tautune.trainables.delay import GradientQueue
from tests.trainables.delay.small_training import OPTIMIZERS, batch, make_model, run

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]


def loss(model: Any, pair: Any) -> Any:
    return cross_entropy(model(pair[0]), pair[1])


class KillsItself:
    """A loss whose worker's process ends at the batch of that number, once."""

    def __init__(self, number: int, mark: Path) -> None:
        self.number, self.mark = number, mark

    def batch(self, number: int) -> Any:
        """Returns a batch, or ends the process."""
        if number == self.number and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), 9)
        return batch(number)


def training(batches: Any, mode: str, **more: Any) -> tautune.AsynchronousTraining:
    model = make_model()
    optimizer = OPTIMIZERS["momentum"](model.parameters())
    return tautune.AsynchronousTraining(
        model, loss, batches, optimizer, workers=2, mode=mode, cpus_per_worker=0, **more
    )


def test_real_workers_of_unequal_speed_are_a_queue_whose_delays_they_recorded(tmp_path: Path) -> None:
    with training(batch, "as-they-come", slowdown=(1, 20)) as run_of_workers:
        rows = run_of_workers.run(60)
        weights = parameters_to_vector(run_of_workers.model.parameters()).detach().clone()
        run_of_workers.write_delays(tmp_path / "delays.csv")
    assert read_delays(tmp_path / "delays.csv") == [row.age for row in rows]
    recorded = queue_delays(rows, workers=2)
    model = make_model()
    queue = GradientQueue(OPTIMIZERS["momentum"](model.parameters()), recorded.delays)
    assert torch.equal(weights, run(model, queue, range(61))[-1])


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_applied_twice(tmp_path: Path) -> None:
    dying = KillsItself(12, tmp_path / "died")
    with training(dying.batch, "as-they-come") as run_of_workers:
        rows = run_of_workers.run(60)
        end = time.monotonic() + 60
        before = len(rows)
        while len({row.worker for row in rows[-20:]}) < 2:  # until its replacement has joined
            assert time.monotonic() < end
            rows += run_of_workers.run(20)
        applied = [row.gradient for row in rows]
    assert (tmp_path / "died").exists()
    assert before == 60
    assert len(set(applied)) == len(applied)
    assert [row.step for row in rows] == list(range(len(rows)))
    assert 12 in {row.batch for row in rows}  # another worker did what the lost one had been given


def test_more_workers_than_there_is_room_for_are_told_with_what_is_missing() -> None:
    model = make_model()
    optimizer = OPTIMIZERS["sgd"](model.parameters())
    with pytest.raises(
        ValueError, match=r"1000 workers of 1 CPU each need 1000 CPU, and the cluster has .*: .* missing"
    ):
        tautune.AsynchronousTraining(model, loss, batch, optimizer, workers=1000)
    with pytest.raises(ValueError, match="workers must be an integer of at least 1, not 0"):
        tautune.AsynchronousTraining(model, loss, batch, optimizer, workers=0)
