"""Trains many points of a grid together, each with its own delay, learning rate and momentum.

The network is evaluated for all points at once. The gradient of the sum of their losses contains each point's own
gradient, which then waits in a ring buffer as long as the point's delay. It needs only torch, on any device.

Shapes: K points still training, P parameters, n examples per mini-batch. x is [K, P]; points with the same delay and
kind of momentum are adjacent rows.
"""

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor

from tautune.trainables.grid.point import Course, Outcome, Point, Task, diverged, loss_limit, outcome
from tautune.trainables.grid.stacked_gradient import losses_and_gradients
from tautune.trainables.grid.stacked_network import accuracies_of_each, losses_of_each, outputs_of_each

CHECK = 25
"""Steps between two checks of the losses: a check makes a GPU wait. Until then, a point that diverged trains on."""


class StackedTraining:
    """Trains `points`; each has the same outcome as if it trained alone.

    Points with the same seed share their mini-batches.
    """

    def __init__(self, task: Task, points: Sequence[Point]) -> None:
        self.problem, starts, self.course = task
        self.points = points
        self.rows = sorted(range(len(points)), key=lambda i: _group_key(points[i]))
        """The index in `points` of each row."""
        self.x = torch.stack([starts[points[i].seed] for i in self.rows])
        self.groups = [
            _Group([points[i] for i in own], self.x, self.course)
            for _, own in groupby(self.rows, key=lambda i: _group_key(points[i]))
        ]
        self.decay = self.problem.decay if self.problem.l2 else None
        self.batches = {p.seed: self.problem.batches(self.course.mini_batch, p.seed) for p in points}
        self.limits: Tensor | None = None
        self.time = 0
        self.found: dict[int, Outcome] = {}
        self.problem.model.train()
        self._share_out()

    def advance(self, steps: int) -> None:
        """Trains for at most `steps` more steps, until the course ends or no point is left."""
        end = min(self.time + steps, self.course.steps)
        while self.time < end and self.rows:
            losses = torch.stack([self._step() for _ in range(min(CHECK, end - self.time))])
            self._take_out_diverged(losses)

    def outcomes(self) -> list[Outcome]:
        """Returns the outcome of every point, in the order of `points`."""
        if self.rows:
            assert self.limits is not None
            losses, accuracies = self._evaluate()
            ends = zip(losses.tolist(), accuracies.tolist(), self.limits.tolist(), strict=True)
            self.found |= {
                row: outcome(self.problem, *end, self.time) for row, end in zip(self.rows, ends, strict=True)
            }
        return [self.found[i] for i in range(len(self.points))]

    def gradients(self) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Returns losses [K] on the next mini-batches and their gradients, [K, …] per parameter, without penalty."""
        inputs, targets, per_point = self._batch()
        return losses_and_gradients(self.problem, self.leaves, inputs, targets, per_point=per_point)

    def losses(self) -> Tensor:
        """Returns losses [K] on the next mini-batches, with autograd's graph, without penalty."""
        inputs, targets, per_point = self._batch()
        outputs = outputs_of_each(self.problem, self.leaves, inputs, per_point=per_point)
        return losses_of_each(self.problem, outputs, targets, per_point=per_point)

    def _step(self) -> Tensor:
        """Makes one step with every point and returns their losses [K]."""
        losses, gradients = self.gradients()
        with torch.no_grad():
            torch.cat([g.reshape(len(g), -1) for g in gradients], dim=1, out=self.fresh)
            for group, x, fresh in self.shares:
                group.step(self.time, x, fresh, self.decay)
        self.time += 1
        return losses

    def _batch(self) -> tuple[Tensor, Tensor, bool]:
        """Returns inputs and targets of the next mini-batch, and whether each point has its own: [K, n, …]."""
        problem = self.problem
        indices = {seed: next(batches) for seed, batches in self.batches.items()}
        drawn = [index for index in indices.values() if index is not None]
        if not drawn:
            return problem.inputs, problem.targets, False
        if len(drawn) == 1:
            return problem.inputs[drawn[0]], problem.targets[drawn[0]], False
        own = torch.stack(drawn)[self.seed_rows]
        return problem.inputs[own], problem.targets[own], True

    def _take_out_diverged(self, losses: Tensor) -> None:
        """Records the points that diverged in the last T steps, given their losses [T, K], and drops them."""
        if self.limits is None:
            limits = [loss_limit(first) for first in losses[0].tolist()]
            self.limits = torch.tensor(limits, dtype=torch.float64).to(losses)
        bad = ~(losses <= self.limits)
        gone = bad.any(dim=0)
        if not gone.any():
            return
        before = self.time - len(losses)
        for row, first, limit, left in zip(
            self.rows, bad.int().argmax(dim=0).tolist(), self.limits.tolist(), gone.tolist(), strict=True
        ):
            if left:
                self.found[row] = diverged(self.problem, limit, before + first)
        self._keep(~gone)

    def _keep(self, kept: Tensor) -> None:
        """Drops the rows where `kept` [K] is false."""
        self.x, self.limits = self.x[kept], None if self.limits is None else self.limits[kept]
        self.rows = [row for row, stays in zip(self.rows, kept.tolist(), strict=True) if stays]
        pieces = kept.split([len(group) for group in self.groups])
        for group, own in zip(self.groups, pieces, strict=True):
            if not own.all():
                group.keep(own)
        self.groups = [group for group in self.groups if len(group)]
        self._share_out()

    def _share_out(self) -> None:
        """Rebuilds everything that refers to rows, at the start and after rows were dropped.

        These are the parameters as views of x, the groups' parts of x and of the gradients, and each row's seed, which
        determines its mini-batches.
        """
        sizes = [p.numel() for p in self.problem.parameters]
        views = zip(self.x.split(sizes, dim=1), self.problem.parameters, strict=True)
        self.leaves = tuple(view.detach().view(len(view), *p.shape).requires_grad_() for view, p in views)
        self.fresh = torch.empty_like(self.x)
        rows = [len(group) for group in self.groups]
        self.shares = list(zip(self.groups, self.x.split(rows), self.fresh.split(rows), strict=True))
        seeds = [self.points[row].seed for row in self.rows]
        self.batches = {seed: batches for seed, batches in self.batches.items() if seed in seeds}
        order = list(self.batches)
        self.seed_rows = torch.tensor([order.index(seed) for seed in seeds], device=self.x.device)

    @torch.no_grad()
    def _evaluate(self) -> tuple[Tensor, Tensor]:
        """Returns loss and accuracy over the whole data set, [K] each; evaluates as many examples at once as a step."""
        problem, size = self.problem, self.course.mini_batch or self.problem.chunk
        losses = torch.zeros_like(self.x[:, 0])
        if self.decay is not None:
            losses += 0.5 * self.x.square() @ self.decay
        accuracies = torch.zeros_like(losses)

        problem.model.eval()
        for inputs, targets in zip(problem.inputs.split(size), problem.targets.split(size), strict=True):
            share = len(inputs) / len(problem)
            outputs = outputs_of_each(problem, self.leaves, inputs, per_point=False)
            losses += share * losses_of_each(problem, outputs, targets, per_point=False)
            accuracies += share * accuracies_of_each(outputs, targets)
        problem.model.train()
        return losses, accuracies


class _Group:
    """The rows of one delay and kind of momentum, with their gradients of the last τ+1 steps and their velocities."""

    def __init__(self, points: Sequence[Point], x: Tensor, course: Course) -> None:
        self.delay = points[0].delay
        storage = course.storage if self.delay else None
        self.downhill = _column([-p.learning_rate * (1 - p.momentum) for p in points], x)
        """-η(1-m), as a column [k, 1]."""
        self.momentum = _column([p.momentum for p in points], x)
        shape = (len(points), x.shape[1])
        gradients, velocities = slots(points[0], course)
        self.gradients = [x.new_empty(shape, dtype=storage or x.dtype) for _ in range(gradients)]
        """Gradients [k, P] of τ+1 steps; those of step t are at index t mod (τ+1)."""
        self.velocities = [x.new_zeros(shape) for _ in range(velocities)]

    def __len__(self) -> int:
        return len(self.momentum)

    def step(self, time: int, x: Tensor, fresh: Tensor, decay: Tensor | None) -> None:
        """Stores this step's gradients `fresh` [k, P], and updates x [k, P] in place with the gradients now due.

        Args:
            decay: of the penalty [P], whose gradient decay · x waits with the loss's; None without one.
        """
        kept = self.gradients[time % len(self.gradients)]
        if decay is None:
            kept.copy_(fresh)
        else:
            torch.addcmul(fresh, x, decay, out=kept)
        if time < self.delay:
            return
        due = self.gradients[(time + 1) % len(self.gradients)]
        if not self.velocities:
            x.addcmul_(due, self.downhill)
            return
        v = self.velocities[time % len(self.velocities)]  # v[t-s], overwritten by v[t+1]
        v.mul_(self.momentum).addcmul_(due, self.downhill)
        x.add_(v)

    def keep(self, kept: Tensor) -> None:
        self.downhill, self.momentum = self.downhill[kept], self.momentum[kept]
        for waiting in (self.gradients, self.velocities):
            waiting[:] = [each[kept] for each in waiting]


def _column(values: list[float], x: Tensor) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).unsqueeze(1).to(x)


def slots(point: Point, course: Course) -> tuple[int, int]:
    """Returns the number of gradients and the number of velocities that a point keeps."""
    longest = min(point.delay + 1, course.steps)
    if not point.momentum:
        return longest, 0
    return longest, longest if point.shifted else 1


def _group_key(point: Point) -> tuple[int, bool, bool]:
    return point.delay, point.momentum > 0, point.shifted
