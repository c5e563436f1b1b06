"""Delayed training that starts close to a minimum and records its distance to it at every step."""

import math
from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import vector_to_parameters

from tautune.trainables.delay.remedies.weight_prediction import WeightPrediction
from tautune.trainables.theory.problem import Problem, flatten
from tautune.trainables.threshold.growth import Growth, oscillation_rate
from tautune.trainables.threshold.late_optimizer import late_optimizer
from tautune.trainables.threshold.minimum import Minimum
from tautune.trainables.threshold.record import Settings

LIMITS = {torch.float64: (1e3, 1e-3), torch.float32: (30.0, 0.1)}
"""Factors by which the distance may grow and shrink while its growth is measured: farther out the loss is no longer
quadratic, and closer in rounding errors show."""
FLAT = 1e-6
"""Largest gradient norm at the minimum, relative to its start, that does not disturb a measurement: the default
tolerance."""


class DelayedTraining:
    """Trains with a delay from x* + distance · v, where v is the sharpest direction.

    Args:
        anchored: whether each mini-batch gradient is reduced by its value at x*. Then x* is a fixed point under every
            mini-batch, and the distance changes only through the mini-batches' curvature. Otherwise the gradient noise
            at x* kicks training around, which hides slow growth. The full batch needs no anchor.
    """

    def __init__(
        self,
        problem: Problem,
        minimum: Minimum,
        settings: Settings,
        learning_rate: float,
        *,
        distance: float,
        anchored: bool,
    ) -> None:
        self.problem, self.minimum, self.settings, self.distance = problem, minimum, settings, distance
        self.anchored = anchored and settings.mini_batch is not None
        self.rest: list[Tensor | None] = []
        problem.move_to(minimum.point + distance * minimum.direction)
        self.parameters = problem.parameters
        self.optimizer = late_optimizer(problem, settings, learning_rate, minimum.squares)
        self.batches = problem.batches(settings.mini_batch, settings.seed)
        self.along: list[float] = [distance]
        """Signed distance to x* along v after each step."""
        self.norm: list[float] = [distance]
        """Distance ‖x - x*‖ after each step."""
        self.overflowed = False
        """Whether a step gave a value that is not finite; `along` and `norm` end before that step."""
        self.gradient_evaluations = 0.0
        """Cost so far, in passes over the full batch."""
        if settings.mini_batch is None and (minimum.gradient_norm > FLAT or settings.varies):
            self.rest = self._at_rest(None)  # over thousands of steps, any that is left would move training

    def advance(self, steps: int, *, leave: float, settle: float) -> None:
        """Trains for at most `steps` more steps, until the distance leaves [settle, leave] times its initial value."""
        for _ in range(steps):
            if self.ended(leave=leave, settle=settle):
                return
            self._step()

    def ended(self, *, leave: float, settle: float) -> bool:
        """Returns whether a step overflowed, or the distance left [settle, leave] times its initial value."""
        return self.overflowed or not settle * self.distance <= self.recent <= leave * self.distance

    @property
    def recent(self) -> float:
        """Returns the largest distance of the last steps."""
        return max(self.norm[-2 * (self.settings.delay + 1) :])

    @property
    def steps(self) -> int:
        """Returns the steps made so far."""
        return len(self.norm) - 1 + self.overflowed

    def _step(self) -> None:
        batch = next(self.batches)
        self.optimizer.zero_grad()
        share = 1.0 if batch is None else len(batch) / len(self.problem)
        rest = self._at_rest(batch) if self.anchored else self.rest
        with self.optimizer.predicted() if isinstance(self.optimizer, WeightPrediction) else nullcontext():
            self.problem.backward(batch)
        for parameter, gradient in zip(self.parameters, rest, strict=False):
            if parameter.grad is not None and gradient is not None:
                parameter.grad.sub_(gradient)
        self.gradient_evaluations += share
        self.optimizer.step()
        offset = flatten(self.parameters).detach() - self.minimum.point
        norm = float(offset.norm())
        if not math.isfinite(norm):
            self.overflowed = True
            return
        self.along.append(float(offset @ self.minimum.direction))
        self.norm.append(norm)

    def _at_rest(self, batch: Tensor | None) -> list[Tensor | None]:
        """Returns the gradient at the minimum, one tensor per parameter; the parameters keep their values."""
        here = flatten(self.parameters).detach()
        self.problem.move_to(self.minimum.point)
        self.optimizer.zero_grad()
        self.problem.backward(batch)
        gradients = [p.grad for p in self.parameters]
        self.optimizer.zero_grad()
        vector_to_parameters(here, self.parameters)
        self.gradient_evaluations += 1.0 if batch is None else len(batch) / len(self.problem)
        return gradients


def measure_growth(training: DelayedTraining, *, tolerance: float = 1e-5) -> Growth:
    """Trains until the growth rate of the distance to the minimum is known, and returns it.

    Every step is like any other. Training goes on until three estimates agree to 0.1 % of the rate or to
    `tolerance`/(τ+1) per step; each estimate uses a record a third longer than the one before. It ends early when the
    distance leaves `LIMITS`.
    """
    settings = training.settings
    lag = settings.delay + 1
    leave, settle = LIMITS[training.minimum.point.dtype]
    limits = {"leave": leave, "settle": settle}
    most = round(1000 * lag / (1 - settings.m))
    rates: list[float] = []
    length = max(16, 8 * lag)
    while True:
        training.advance(length - len(training.along), **limits)
        if len(training.along) > 6 * lag:
            rates.append(oscillation_rate(np.array(training.along), lag))
        agreed = len(rates) >= 3 and np.ptp(rates[-3:]) <= max(1e-3 * abs(rates[-1]), tolerance / lag)
        if agreed or length >= most or training.ended(**limits):
            return _finite_growth(training, rates, **limits)
        length += max(2, length // 3)


def _finite_growth(training: DelayedTraining, rates: list[float], *, leave: float, settle: float) -> Growth:
    """Returns the last rate or, if training ended early and the sign is wrong, the mean rate of the whole record."""
    steps = len(training.along)
    rate = rates[-1] if rates else math.nan
    error = float(np.ptp(rates[-3:])) if len(rates) >= 3 else 0.0
    if training.ended(leave=leave, settle=settle):
        whole = math.log(max(training.norm[-2 * (training.settings.delay + 1) :]) / training.distance) / steps
        if training.overflowed:
            whole = math.log(leave) / steps
        if not rate * whole > 0:
            rate = whole
        error = min(error, abs(rate) / 2)
    return Growth(rate, error, steps)


def steps_to_leave(training: DelayedTraining, *, factor: float, budget: int) -> int | None:
    """Returns the steps until the distance to the minimum has grown by `factor`; None if `budget` steps are too few."""
    training.advance(budget, leave=factor, settle=0.0)
    return training.steps if training.ended(leave=factor, settle=0.0) else None
