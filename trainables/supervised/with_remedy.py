"""The remedies of a training around an optimizer whose gradients are late."""

from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer

from tautune.trainables.delay.remedies.delay_adaptive import DelayAdaptive
from tautune.trainables.delay.remedies.delay_compensation import DelayCompensation
from tautune.trainables.delay.remedies.discard_stale import DiscardStale
from tautune.trainables.delay.remedies.gap_aware import GapAware
from tautune.trainables.delay.remedies.pipemare import PipeMareRescheduling
from tautune.trainables.delay.remedies.staleness_aware import StalenessAware
from tautune.trainables.delay.remedies.weight_prediction import WeightPrediction
from tautune.trainables.supervised.remedies import parse_remedy

MAKERS: dict[str, Callable[..., Optimizer]] = {
    "predict": WeightPrediction,
    "delay-compensation": DelayCompensation,
    "gap-aware": GapAware,
    "delay-adaptive": DelayAdaptive,
    "staleness-aware": StalenessAware,
    "pipemare": PipeMareRescheduling,
    "discard-stale": DiscardStale,
}


def with_remedy(late: Optimizer, remedy: str, *, steps: float | None = None) -> Optimizer:
    """Returns the optimizer with the remedy of that spelling around it.

    Args:
        late: a `GradientQueue`, or `ArrivingGradients`.
        steps: over which a prediction without a number predicts; None is each gradient's own delay.
    """
    if remedy == "none":
        return late
    name, number = parse_remedy(remedy)
    if name == "predict" and number is None:
        number = steps
    given: list[Any] = [] if number is None else [number]
    return MAKERS[name](late, *given)
