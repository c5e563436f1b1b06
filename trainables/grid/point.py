"""A point of a delay × learning-rate grid: how one short training goes, and what came of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tautune.trainables.theory.momentum import Momentum
from tautune.trainables.theory.problem import Problem
from tautune.trainables.theory.stability import check_delay

DIVERGED = 10.0
"""A training has diverged at the first step whose mini-batch loss (without penalty) is not finite, or above this many
times its first loss (or above this, if that is below 1). Its loss is recorded as that limit."""


class Point(NamedTuple):
    delay: int
    """τ, in optimizer steps."""
    learning_rate: float
    momentum: float = 0.0
    """m in [0, 1), dampened by 1-m."""
    shifted: bool = False
    """Whether the velocity is delayed too."""
    seed: int = 0
    """Of the initial weights and of the order of the mini-batches: points of one seed share both."""

    @property
    def kind(self) -> Momentum:
        """Returns momentum and whether it is shifted, as one value."""
        return Momentum(self.momentum, self.shifted)

    def check(self) -> None:
        """Raises ValueError if there is no such point."""
        check_delay(self.delay)
        Momentum(self.momentum, self.shifted)
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate must be a finite number above 0, not {self.learning_rate!r}")

    @staticmethod
    def of(record: np.void) -> "Point":
        """An entry of an array of `POINTS`."""
        return Point(*record.item())


POINTS = np.dtype(
    [("delay", "i8"), ("learning_rate", "f8"), ("momentum", "f8"), ("shifted", "?"), ("seed", "i8")], align=True
)
"""Many points, as an array of records."""


class Outcome(NamedTuple):
    """All of it is finite."""

    loss: float
    """f over the whole data set after the last step, penalty included; the limit if training diverged."""
    accuracy: float | None
    """Share of the examples whose class is the largest output; 0 if it diverged, None where there are no classes."""
    diverged: bool
    steps: int
    """That were made before training diverged; all of them if it did not."""


OUTCOMES = np.dtype([("loss", "f8"), ("accuracy", "f8"), ("diverged", "?"), ("steps", "i8")], align=True)
"""Many outcomes, as an array of records."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """What the trainings of a grid have in common."""

    steps: int
    mini_batch: int | None = None
    """Examples a step; None is the full batch."""
    storage: torch.dtype | None = None
    """In which gradients wait (torch.bfloat16 halves or quarters their memory); None: as they are."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, not {self.steps!r}")
        if self.mini_batch is not None and self.mini_batch < 1:
            raise ValueError(f"mini_batch must be at least 1, not {self.mini_batch!r}")


class Task(NamedTuple):
    """Everything but the points."""

    problem: Problem
    starts: Mapping[int, Tensor]
    """seed → initial weights [P]"""
    course: Course


def loss_limit(first: float) -> float:
    """The loss above which a training has diverged, from the loss of its first step."""
    return DIVERGED * max(1.0, first) if math.isfinite(first) else DIVERGED


def outcome(problem: Problem, loss: float, accuracy: float, limit: float, steps: int) -> Outcome:
    """Returns what came of a training that made all its steps: its loss may be above the limit, or not finite."""
    if not loss <= limit:
        return diverged(problem, limit, steps)
    return Outcome(loss, accuracy if math.isfinite(accuracy) else None, False, steps)


def diverged(problem: Problem, limit: float, steps: int) -> Outcome:
    """Returns what came of a training that diverged after so many steps."""
    classes = problem.targets.ndim == 1 and not problem.targets.is_floating_point()
    return Outcome(limit, 0.0 if classes else None, True, steps)
