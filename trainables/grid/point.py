"""A point of a delay × learning-rate grid: the settings of one short training, and its outcome."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tautune.trainables.theory.momentum import Momentum
from tautune.trainables.theory.problem import Problem
from tautune.trainables.theory.stability import LARGEST_RATE, check_delay

DIVERGED = 10.0
"""Factor by which a training's loss may exceed its first loss, or 1 if that is larger. Training has diverged at the
first step whose mini-batch loss, without penalty, is above this limit or not finite. The limit is then recorded as its
loss."""


class Point(NamedTuple):
    delay: int
    """τ, in optimizer steps."""
    learning_rate: float
    momentum: float = 0.0
    """m in [0, 1), dampened by 1-m."""
    shifted: bool = False
    """Whether the velocity is delayed too."""
    seed: int = 0
    """Seed of the initial weights and of the order of the mini-batches: points with the same seed share both."""

    @property
    def kind(self) -> Momentum:
        """Returns the momentum and its kind as one value."""
        return Momentum(self.momentum, self.shifted)

    def check(self) -> None:
        """Raises ValueError if a value is out of its bounds."""
        check_delay(self.delay)
        Momentum(self.momentum, self.shifted)
        if not 0 < self.learning_rate <= LARGEST_RATE:
            raise ValueError(f"learning_rate must be above 0 and at most {LARGEST_RATE:g}, not {self.learning_rate!r}")

    @staticmethod
    def of(record: np.void) -> "Point":
        """Returns the point in an entry of an array of type `POINTS`."""
        return Point(*record.item())


POINTS = np.dtype(
    [("delay", "i8"), ("learning_rate", "f8"), ("momentum", "f8"), ("shifted", "?"), ("seed", "i8")], align=True
)
"""The numpy type of an array of points."""


class Outcome(NamedTuple):
    """What came of a training; all its numbers are finite."""

    loss: float
    """f over the whole data set after the last step, penalty included; the limit if training diverged."""
    accuracy: float | None
    """Fraction of the examples for whose class the output is largest; 0 after divergence, None without classes."""
    diverged: bool
    steps: int
    """Number of steps before training diverged; all steps if it did not."""


OUTCOMES = np.dtype([("loss", "f8"), ("accuracy", "f8"), ("diverged", "?"), ("steps", "i8")], align=True)
"""The numpy type of an array of outcomes."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """What the trainings of a grid have in common."""

    steps: int
    mini_batch: int | None = None
    """Examples per step; None means the full batch."""
    storage: torch.dtype | None = None
    """Type in which gradients wait; torch.bfloat16 halves or quarters their memory, and None keeps their own type."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, not {self.steps!r}")
        if self.mini_batch is not None and self.mini_batch < 1:
            raise ValueError(f"mini_batch must be at least 1, not {self.mini_batch!r}")


class Task(NamedTuple):
    """Everything that the training of points needs, except the points."""

    problem: Problem
    starts: Mapping[int, Tensor]
    """The initial weights [P] of each seed."""
    course: Course


def loss_limit(first: float) -> float:
    """Returns the loss above which a training has diverged, given the loss of its first step."""
    return DIVERGED * max(1.0, first) if math.isfinite(first) else DIVERGED


def outcome(problem: Problem, loss: float, accuracy: float, limit: float, steps: int) -> Outcome:
    """Returns the outcome of a training that made all its steps; its loss may still be above `limit` or not finite."""
    if not loss <= limit:
        return diverged(problem, limit, steps)
    return Outcome(loss, accuracy if math.isfinite(accuracy) else None, False, steps)


def diverged(problem: Problem, limit: float, steps: int) -> Outcome:
    """Returns the outcome of a training that diverged after this number of steps."""
    classes = problem.targets.ndim == 1 and not problem.targets.is_floating_point()
    return Outcome(limit, 0.0 if classes else None, True, steps)
