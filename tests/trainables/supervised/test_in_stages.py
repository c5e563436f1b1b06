"""A supervised training in the stages of a pipeline, beside the same training with its weights stashed."""

from functools import partial
from typing import Any

import pytest
import torch
from torch.nn.utils import parameters_to_vector

from tautune.trainables.asynchronous.settings import Stages
from tautune.trainables.delay.pipeline import pipeline_delays
from tautune.trainables.delay.weight_stashing import WeightStashing
from tautune.trainables.supervised.gradient import Objective
from tautune.trainables.supervised.in_stages import SupervisedPart, TrainingInStages
from tautune.trainables.supervised.optimizers import OPTIMIZERS
from tautune.trainables.supervised.passes import Passes
from tests.trainables.supervised.test_with_workers import make, weights_of

CONFIG = {
    "layers": 2,
    "units": 8,
    "learning_rate": 0.05,
    "batch_size": 32,
    "activation": "tanh",
    "l2": 1e-2,
    "l1": 1e-4,
}
NESTEROV = {"optimizer": "nesterov", "momentum": 0.8, "schedule": "cosine", "warmup": 0.1, "batch_norm": True}
STEPS = 10
"""Batches of 32 in a pass over 300 images."""


def stashed(config: dict[str, Any], stages: int, epochs: int) -> tuple[torch.Tensor, list[float]]:
    """Trains in this process with the delays of a pipeline; returns the weights, and each epoch's loss."""
    training = make(config)
    passes = Passes(training)
    groups, delays = pipeline_delays(training.model, stages)
    optimizer = WeightStashing(OPTIMIZERS[training.config.optimizer](groups, training.config), delays)
    objective = Objective(training.model, training.normalize, training.config, training.task, training.scale)
    training.model.train()
    losses = []
    for epoch in range(epochs):
        total = 0.0
        for step in range(STEPS):
            for group in optimizer.param_groups:
                group["lr"] = training.rate_at(step, STEPS)
            optimizer.zero_grad()
            batch = passes.batch(STEPS * epoch + step)
            with optimizer.stashed():
                error, _ = objective.backward(batch, torch.default_generator)
            optimizer.step()
            total += error.item() * len(batch)
        losses.append(total / 300)
        training.epochs += 1
    return weights_of(training), losses


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_stages_train_as_stashed_weights_do_bit_for_bit_also_from_a_state() -> None:
    config = CONFIG | NESTEROV
    weights, losses = stashed(config, 3, 3)
    stages = Stages(count=3, cpus=0.0)
    first = TrainingInStages(partial(make, config), stages)
    try:
        epochs = [first.train_epoch()]
        assert [(row.step, row.worker, row.age) for row in first.rows[:9]] == [
            (step, stage, min(step, 2 - stage)) for step in range(3) for stage in range(3)
        ]
        state = first.state_dict()
    finally:
        first.close()
    second = TrainingInStages(partial(make, config), stages)
    second.load_state_dict(state)
    try:
        epochs += [second.train_epoch(), second.train_epoch()]
    finally:
        second.close()
    assert torch.equal(weights_of(second), weights)
    assert [epoch.loss for epoch in epochs] == pytest.approx(losses, rel=1e-12)
    assert {row.age for row in second.rows if row.worker == 0} == {2}
    assert all(epoch.steps == STEPS and 0 < epoch.accuracy < 1 for epoch in epochs)


@pytest.mark.parametrize("optimizer", ["adamw", "muon", "shifted-momentum"])
def test_the_parts_have_each_weight_once_with_the_optimizer_that_the_whole_model_gives_it(optimizer: str) -> None:
    config = CONFIG | {"optimizer": optimizer, "l2": (0.1, 0.2, 0.3), "l1": 0.0}
    whole: Any = make(config)
    parts = [SupervisedPart(number, 3, partial(make, config)) for number in range(3)]
    assert torch.equal(
        torch.cat([parameters_to_vector(part.model.parameters()) for part in parts]),
        parameters_to_vector(whole.model.parameters()),
    )
    assert [list(part.penalized.values()) for part in parts] == [[0.1], [0.2], [0.3]]
    found = [group for part in parts for group in part.optimizer.param_groups]
    assert sum(len(group["params"]) for group in found) == 6
    if optimizer == "muon":  # the hidden weights alone
        assert [[p.shape for p in group["params"]] for group in found if group["use_muon"]] == [[(8, 8)]]
    if optimizer == "shifted-momentum":
        assert [group["shift"] for group in found] == [2, 1, 0]


def test_a_diverging_loss_and_a_penalty_are_told_apart() -> None:
    """The last stage's loss is without the penalties, as in a training of one process."""
    config = CONFIG | {"l2": 100.0}
    whole: Any = make(config)
    [part] = [SupervisedPart(0, 1, partial(make, config))]
    objective = Objective(whole.model, whole.normalize, whole.config, whole.task, whole.scale)
    error, _ = objective.backward(Passes(whole).batch(0), torch.default_generator)
    judged = part.judge(part.outputs(part.inputs(0), {}), 0)
    assert judged.loss.item() == error.item()
    assert judged.examples == 32
    (judged.loss + part.penalty({})).backward()
    for own, other in zip(part.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(own.grad, other.grad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"delay": 3}, "delay must be 0 with stages, whose gradients are late by themselves, not 3"),
        ({"remedy": "predict:2"}, "remedy must be none with stages, not predict:2"),
        ({"layers": 1}, "it cannot be cut into 3 stages: it has 2 children with parameters"),
    ],
)
def test_what_a_pipeline_cannot_do_is_told(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TrainingInStages(partial(make, CONFIG | change), Stages(count=3))
