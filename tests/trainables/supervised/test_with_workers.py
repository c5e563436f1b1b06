"""A supervised training whose gradients come from Ray workers, beside the same training with a gradient queue."""

from functools import partial
from typing import Any

import pytest
import torch
from torch.nn.utils import parameters_to_vector

from tautune.trainables.asynchronous.settings import Workers
from tautune.trainables.delay.arriving import ArrivingGradients
from tautune.trainables.supervised.datasets import load
from tautune.trainables.supervised.passes import Passes
from tautune.trainables.supervised.sources import source_of
from tautune.trainables.supervised.supervised_training import SupervisedTraining
from tautune.trainables.supervised.with_remedy import MAKERS
from tautune.trainables.supervised.with_workers import TrainingWithWorkers

SPLIT = (torch.arange(300), torch.arange(300, 400))
CONFIG = {"units": 8, "learning_rate": 0.02, "batch_size": 32, "activation": "tanh", "l2": 1e-3}


def make(config: dict[str, Any], device: str = "cpu") -> SupervisedTraining:
    torch.set_num_threads(1)
    source = source_of(load("digits").train, SPLIT)
    return SupervisedTraining("mlp", config, source, outputs=10, horizon=3, seed=1, device=device)


def weights_of(training: Any) -> torch.Tensor:
    return parameters_to_vector(training.model.parameters()).detach().clone()


def test_batches_by_number_are_those_of_the_passes() -> None:
    training = make(CONFIG)
    passes = Passes(training)
    for epoch in range(3):
        part = training.source.training_pass(32, training.order, epoch=epoch, drop_single=False)
        expected = list(part.batches)
        begin = passes.end(epoch) - len(expected)
        assert begin == 10 * epoch
        for place, batch in enumerate(expected):
            assert torch.equal(passes.batch(begin + place).pixels, batch.pixels)
    last = passes.batch(29)
    for epoch in range(3, 9):
        passes.end(epoch)
    assert torch.equal(passes.batch(29).pixels, last.pixels)  # of a pass that is long over


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize(
    "own",
    [{"optimizer": "momentum"}, {"optimizer": "shifted-momentum"}, {"remedy": "delay-compensation:0.5"}],
    ids=str,
)
def test_workers_in_turn_train_as_a_queue_does_also_from_a_state(own: dict[str, str]) -> None:
    config = CONFIG | {"optimizer": "momentum"} | own
    queued: Any = make(config | {"delay": 2})
    for _ in range(3):
        queued.train_epoch()
    queued.optimizer.flush()
    workers = Workers(count=3, mode="round-robin", cpus=0.0)
    first = TrainingWithWorkers(partial(make, config), workers, "cpu")
    try:
        epoch = first.train_epoch()
        assert [row.batch for row in first.rows] == list(range(10))
        state = first.state_dict()
    finally:
        first.close()
    second = TrainingWithWorkers(partial(make, config), workers, "cpu")
    second.load_state_dict(state)
    try:
        second.train_epoch()
        second.train_epoch()
        assert torch.equal(weights_of(second), weights_of(queued))
    finally:
        second.close()
    assert epoch.examples == 300
    assert 0 < epoch.accuracy < 1
    assert [row.batch for row in second.rows] == list(range(10, 30))


def test_another_learning_rate_leaves_each_worker_its_velocity() -> None:
    """A refit sets what its training's history says, before its first epoch."""
    training = TrainingWithWorkers(partial(make, CONFIG | {"optimizer": "shifted-momentum"}), Workers(count=3), "cpu")
    training.change({"learning_rate": 0.01})
    (group,) = training.server.optimizer.param_groups
    assert (group["lr"], group["shift"]) == (0.01, 2)


@pytest.mark.parametrize("remedy", ["predict", "gap-aware", "staleness-aware", "pipemare:9", "discard-stale:3"])
def test_a_remedy_goes_around_the_gradients_that_arrive(remedy: str) -> None:
    training = TrainingWithWorkers(partial(make, CONFIG | {"remedy": remedy}), Workers(count=4), "cpu")
    outer: Any = training.server.optimizer
    assert isinstance(outer, MAKERS[remedy.partition(":")[0]])  # type: ignore[arg-type]
    assert isinstance(outer.optimizer, ArrivingGradients)
    assert getattr(outer, "horizons", [3]) == [3]  # N - 1


def test_a_delay_beside_workers_is_refused() -> None:
    with pytest.raises(ValueError, match="delay must be 0 with workers"):
        TrainingWithWorkers(partial(make, CONFIG | {"delay": 3}), Workers(count=2), "cpu")
