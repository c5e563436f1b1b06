"""Settings that make no sense, and optimizers that a remedy cannot go with, are refused in one line."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from tautune.trainables.delay import GradientQueue, RandomDelay
from tautune.trainables.delay.pipeline import pipeline_delays
from tautune.trainables.delay.remedies.delay_adaptive import DelayAdaptive
from tautune.trainables.delay.remedies.delay_compensation import DelayCompensation
from tautune.trainables.delay.remedies.discard_stale import DiscardStale
from tautune.trainables.delay.remedies.gap_aware import GapAware
from tautune.trainables.delay.remedies.pipemare import PipeMareRescheduling
from tautune.trainables.delay.remedies.staleness_aware import StalenessAware
from tautune.trainables.delay.remedies.weight_prediction import WeightPrediction
from tautune.trainables.delay.weight_stashing import WeightStashing
from tests.trainables.delay.remedies.cases import RANDOM, sgd, staged_model


def bare() -> torch.optim.Optimizer:
    return torch.optim.SGD(staged_model().parameters(), 0.1)


def queue(delay: Any = 3) -> GradientQueue:
    return sgd(staged_model(), delay)


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: StalenessAware(bare()), r"StalenessAware\(GradientQueue\(SGD\(…\), delay=8\)\)"),
    (
        lambda: GapAware(WeightPrediction(bare(), 2)),
        "GapAware needs an optimizer that knows how late its gradients are",
    ),
    (lambda: GradientQueue(StalenessAware(queue()), 2), "without a delay, not StalenessAware"),
    (lambda: DelayAdaptive(queue(), 0), "workers must be an integer of at least 1, not 0"),
    (lambda: PipeMareRescheduling(queue(), 0.5), "steps must be an integer of at least 1, not 0.5"),  # type: ignore[arg-type]
    (lambda: DiscardStale(queue(), 0), "limit must be an integer of at least 1"),
    (lambda: DiscardStale(queue(), 3), "limit must be above 3, the shortest delay of a parameter group"),
    (lambda: DelayCompensation(queue(), -1.0), "strength must be a finite number ≥ 0"),
    (lambda: DelayCompensation(queue(), float("nan")), "strength must be a finite number ≥ 0"),
    (lambda: GapAware(queue(), decay=1.0), r"decay must be in \[0, 1\), not 1.0"),
    (lambda: GapAware(queue(), epsilon=0.0), "epsilon must be a finite number above 0"),
    (lambda: WeightPrediction(queue(), -1), "horizon must be a finite number of steps ≥ 0, not -1"),
    (lambda: WeightPrediction(queue(), float("inf")), "horizon must be a finite number of steps ≥ 0"),
    (lambda: WeightPrediction(bare()), "horizon must be given where no GradientQueue says how late"),
    (lambda: WeightPrediction(queue(RANDOM)), "horizon must be given where delays vary"),
    (lambda: WeightPrediction(queue(), {"stage0": 1}), "parameter group 'stage1' has no delay"),
    (lambda: WeightPrediction(WeightStashing(bare(), 2)), "weights cannot be predicted where they are stashed"),
    (
        lambda: WeightPrediction(StalenessAware(WeightPrediction(queue()))),
        "WeightPrediction is around this optimizer already; a remedy goes there once",
    ),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_it_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as told:
        make()
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "wrap", [GradientQueue, WeightStashing, lambda inner, steps: WeightPrediction(GradientQueue(inner, 3), steps)]
)
def test_a_group_that_has_no_entry_is_refused_before_it_is_added(wrap: Callable[[Any, Any], Any]) -> None:
    groups, delays = pipeline_delays(staged_model(), 3)
    optimizer = wrap(torch.optim.SGD(groups, 0.1), delays)
    with pytest.raises(ValueError, match="parameter group 'head' has no delay"):
        optimizer.add_param_group({"name": "head", "params": [nn.Parameter(torch.ones(2))]})
    assert len(optimizer.param_groups) == 3


@pytest.mark.parametrize(("make", "name"), [(DelayCompensation, "delay compensation"), (GapAware, "gap-aware")])
def test_sparse_gradients_are_refused(make: Any, name: str) -> None:
    model = nn.Embedding(5, 2, sparse=True)
    optimizer = make(GradientQueue(torch.optim.SGD(model.parameters(), 0.1), RandomDelay(probabilities=(0.0, 1.0))))

    def step() -> None:
        optimizer.zero_grad()
        model(torch.tensor([1, 2])).sum().backward()
        optimizer.step()

    step()
    with pytest.raises(ValueError, match=f"{name} needs dense gradients: use no sparse embedding"):
        step()
