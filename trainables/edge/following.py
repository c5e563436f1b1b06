"""Follows the sharpness of several trainings: how η λ over the delay's threshold goes as they sharpen."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tautune.trainables.curvature.lanczos import largest_eigenpairs, random_start
from tautune.trainables.curvature.preconditioner import filter_now
from tautune.trainables.edge.runs import Run, Runs
from tautune.trainables.theory.loop import TrainingLoop

TOLERANCE = 0.02
"""Largest residual relative to λ: λ is then off by half a percent at most, as several eigenvalues meet at the edge."""
MOST_PRODUCTS = (60, 10)
"""Hessian-vector products at most, for the first look and for each later one, which begins where the last one ended."""
UNSEEN = 4
"""Products of each later look for directions that became the sharpest: without them λ was up to 8 % too low."""


class Sample(NamedTuple):
    """A training at one step; all its numbers are finite."""

    delay: int
    learning_rate: float
    seed: int
    step: int
    """Steps made."""
    loss: float
    """f before the last one of them, penalty included; the limit if training has diverged."""
    sharpness: float | None
    """λ, of the preconditioned loss for optimizers that divide; None once training has diverged."""
    threshold: float | None
    """The η λ at which the loop stops being stable."""
    diverged: bool

    @property
    def run(self) -> Run:
        """Returns the training."""
        return Run(self.delay, self.learning_rate, self.seed)

    @property
    def edge_ratio(self) -> float | None:
        """Returns η λ over the threshold: stable below 1."""
        if self.sharpness is None or self.threshold is None:
            return None
        return self.learning_rate * self.sharpness / self.threshold


class Following:
    """Trains, and looks at the sharpness every so many steps.

    Args:
        every: steps between two looks.
    """

    def __init__(self, trainings: Runs, *, every: int) -> None:
        self.trainings, self.every = trainings, every
        self.start = random_start(len(trainings.runs), trainings.x.shape[1], trainings.x)
        self.looks = 0
        self.told: set[int] = set()

    def advance(self) -> list[Sample]:
        """Trains until the next look, and returns what is seen there, and which trainings have diverged since."""
        for _ in range(self.every):
            losses = self.trainings.step()
        samples = self._ended()
        alive, scales = self.trainings.alive, self.trainings.scales()
        if not alive or scales is None:
            return samples
        sharpness = self.sharpness_at(scales, alive)
        for k, λ in zip(alive, sharpness, strict=True):
            run, loop = self.trainings.runs[k], self._loop(k)
            if math.isfinite(λ):
                sample = Sample(*run, self.trainings.time, float(losses[k]), max(λ, 0.0), loop.threshold, False)
                samples.append(sample)
        return samples

    def _ended(self) -> list[Sample]:
        """Returns a sample of each training that has diverged since the last look."""
        limits, new = self.trainings.limits, self.trainings.diverged.keys() - self.told
        self.told |= new
        assert limits is not None
        return [
            Sample(*self.trainings.runs[k], self.trainings.diverged[k], float(limits[k]), None, None, True)
            for k in sorted(new)
        ]

    def sharpness_at(self, scales: Tensor, alive: Sequence[int]) -> list[float]:
        """Returns the sharpness, scaled on both sides by `scales` [K, P], of each of these trainings at its weights."""
        rows = torch.tensor(alive, device=scales.device)

        def multiply(V: Tensor) -> Tensor:
            whole = torch.zeros_like(scales)
            whole[rows] = V
            return (scales * self.trainings.products(scales * whole))[rows]

        found = largest_eigenpairs(
            multiply,
            self.start[rows],
            tolerance=TOLERANCE,
            most_products=MOST_PRODUCTS[min(self.looks, 1)],
            unseen=UNSEEN if self.looks else 0,
            seed=self.looks,
        )
        self.looks += 1
        if self.start.shape[1] < found.start.shape[1]:
            self.start = self.start.expand(-1, found.start.shape[1], -1).clone()
        self.start[rows] = found.start
        values: list[float] = found.values.tolist()
        return values

    def _loop(self, k: int) -> TrainingLoop:
        """Returns the loop of a training as its optimizer is now."""
        return TrainingLoop(filter_now(self.trainings.optimizer), self.trainings.runs[k].delay)
