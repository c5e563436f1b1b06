"""Training near a minimum with real workers, whose gradients are as late as they are."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tautune.trainables.asynchronous.batches import NumberedBatches
from tautune.trainables.asynchronous.group import Group
from tautune.trainables.asynchronous.judged import Judged
from tautune.trainables.asynchronous.modes import parse_mode
from tautune.trainables.asynchronous.server import ParameterServer, Row
from tautune.trainables.theory.problem import Problem, ProblemParts, flatten
from tautune.trainables.threshold.delayed_training import DelayedTraining
from tautune.trainables.threshold.late_optimizer import OPTIMIZERS
from tautune.trainables.threshold.minimum import Minimum
from tautune.trainables.threshold.record import Settings


class NearMinimum:
    """Computes gradients less those at the minimum, so that it stays at rest, as `DelayedTraining` does."""

    def __init__(self, problem: Problem, minimum: Minimum, settings: Settings, *, anchored: bool) -> None:
        self.problem, self.model, self.minimum = problem, problem.model, minimum
        self.anchored = anchored and settings.mini_batch is not None
        self.batches = NumberedBatches(_Endless(problem, settings))
        self.rest: list[Tensor] = []
        if settings.mini_batch is None:  # or what is left of the gradient there would be a floor to the distance
            self.rest = self._at_rest(None)

    def compute(self, batch: int) -> Judged:
        """Leaves the gradient of the batch of that number in `.grad`."""
        numbers = self.batches(batch)
        rest = self._at_rest(numbers) if self.anchored else self.rest
        value = self.problem.backward(numbers)
        for parameter, gradient in zip(self.problem.parameters, rest, strict=False):
            if parameter.grad is not None:
                parameter.grad.sub_(gradient)
        return Judged(torch.tensor(value if math.isfinite(value) else math.inf, dtype=torch.float64))

    def _at_rest(self, batch: Tensor | None) -> list[Tensor]:
        here = flatten(self.problem.parameters).detach()
        with torch.no_grad():
            _set(self.minimum.point, self.problem.parameters)
        self.model.zero_grad()
        self.problem.backward(batch)
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.problem.parameters]
        self.model.zero_grad()
        with torch.no_grad():
            _set(here, self.problem.parameters)
        return gradients


class MakeNearMinimum:
    """Makes `NearMinimum` in a worker's process."""

    def __init__(self, problem: ProblemParts, minimum: Minimum, settings: Settings, *, anchored: bool) -> None:
        self.problem, self.minimum, self.settings, self.anchored = problem, minimum, settings, anchored

    def __call__(self, device: str) -> NearMinimum:
        """Returns what computes the gradients on a device."""
        return NearMinimum(self.problem.on(device), self.minimum.to(device), self.settings, anchored=self.anchored)


class RealWorkers:
    """The workers of a measurement, which train at one learning rate after another."""

    def __init__(self, problem: Problem, minimum: Minimum, settings: Settings, *, anchored: bool) -> None:
        assert settings.update
        assert settings.update.workers
        self.problem, self.update, self.workers = problem, settings.update, settings.update.workers
        self.anchored = anchored
        self.server = ParameterServer(
            problem.model, self._optimizer(0.0), parse_mode(self.workers.mode), self.workers.count
        )
        make = MakeNearMinimum(ProblemParts.of(problem), minimum.to("cpu"), settings, anchored=anchored)
        self.group = Group(self.server, make, self.workers)
        self.ages: list[int] = []
        """Those that were met once all workers had been there for a while, in their order."""
        self.rows: list[tuple[int, ...]] = []
        """What `WRITTEN` names of every gradient that was applied since the last report."""
        self.before = 0
        """Updates of earlier trainings."""

    def restart(self, point: Tensor, learning_rate: float) -> None:
        """Begins anew from a point. Gradients that are still being computed are put away when they come."""
        self.before += self.server.version
        with torch.no_grad():
            _set(point, self.problem.parameters)
        self.server.restart(self._optimizer(learning_rate))

    def took(self, rows: list[Row]) -> None:
        """Takes in gradients that were applied, and their ages."""
        settled = 4 * self.workers.count
        self.ages += [row.age for row in rows if row.step >= settled]
        self.rows += [(self.before + row.step, row.worker, row.age, row.gradient, row.batch) for row in rows]

    def _optimizer(self, learning_rate: float) -> torch.optim.Optimizer:
        make, late = OPTIMIZERS[self.update.optimizer], self.workers.count - 1
        return make(self.problem.parameters, learning_rate, self.update.m, late)

    def close(self) -> None:
        """Ends the workers."""
        self.group.close()


class TrainingWithRealWorkers(DelayedTraining):
    """The training of `DelayedTraining` with the gradients of real workers."""

    def __init__(
        self, workers: RealWorkers, minimum: Minimum, settings: Settings, learning_rate: float, *, distance: float
    ) -> None:
        self.workers, self.problem, self.minimum, self.settings = workers, workers.problem, minimum, settings
        self.distance, self.parameters = distance, workers.problem.parameters
        self.along, self.norm, self.overflowed = [distance], [distance], False
        self.gradient_evaluations = 0.0
        workers.restart(minimum.point + distance * minimum.direction, learning_rate)

    def advance(self, steps: int, *, leave: float, settle: float) -> None:
        """Trains for at most `steps` more steps, until the distance leaves [settle, leave] times its initial value."""

        def took(rows: list[Row]) -> bool:
            self.workers.took(rows)
            batch = self.settings.mini_batch
            self.gradient_evaluations += len(rows) * (batch / len(self.problem) if batch else 1.0)
            self._look()
            return self.ended(leave=leave, settle=settle)

        if steps > 0 and not self.ended(leave=leave, settle=settle):
            self.workers.group.run(steps, took)

    def _look(self) -> None:
        """Records how far the weights are from the minimum."""
        offset = flatten(self.parameters).detach() - self.minimum.point
        norm = float(offset.norm())
        if not np.isfinite(norm):
            self.overflowed = True
            return
        self.along.append(float(offset @ self.minimum.direction))
        self.norm.append(norm)


class _Endless:
    """The batches of a problem, which can be passed over again from their beginning."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.problem, self.settings = problem, settings

    def __iter__(self) -> Any:
        return self.problem.batches(self.settings.mini_batch, self.settings.seed)


def _set(point: Tensor, parameters: list[Any]) -> None:
    """Writes a point into parameters, whose memory stays where it is: it is what travels."""
    at = 0
    for parameter in parameters:
        parameter.copy_(point[at : at + parameter.numel()].view_as(parameter))
        at += parameter.numel()
