"""Many points of a grid trained together, in one program, each with its own delay, learning rate and momentum.

The network is evaluated for all of them at once, the gradient of the sum of their losses is every
point's own, and each point's gradients wait in a ring as long as its own delay. Needs torch alone, on any device.

Shapes: K points that still train, P parameters, n examples of a mini-batch. x [K, P]; points of one delay and one kind
of momentum are neighbouring rows.
"""

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor

from tautune.trainables.grid.point import Course, Outcome, Point, Task, diverged, loss_limit, outcome
from tautune.trainables.grid.stacked_network import accuracies_of_each, losses_of_each, outputs_of_each

CHECK = 25
"""Steps between two looks at the losses, which make a GPU wait; a point that diverged trains on until then."""


class StackedTraining:
    """Trains `points`; what comes of each is what would come of it alone.

    Points of one seed are given the same mini-batches; with several seeds each point is given its seed's own.
    """

    def __init__(self, task: Task, points: Sequence[Point]) -> None:
        self.problem, starts, self.course = task
        self.points = points
        self.rows = sorted(range(len(points)), key=lambda i: _group_key(points[i]))
        """Which of `points` each row is."""
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
        """So many more steps, fewer if the course ends or no point is left."""
        end = min(self.time + steps, self.course.steps)
        while self.time < end and self.rows:
            losses = torch.stack([self._step() for _ in range(min(CHECK, end - self.time))])
            self._take_out_diverged(losses)

    def outcomes(self) -> list[Outcome]:
        """What came of every point, in the order they were given."""
        if self.rows:
            assert self.limits is not None
            losses, accuracies = self._evaluate()
            ends = zip(losses.tolist(), accuracies.tolist(), self.limits.tolist(), strict=True)
            self.found |= {
                row: outcome(self.problem, *end, self.time) for row, end in zip(self.rows, ends, strict=True)
            }
        return [self.found[i] for i in range(len(self.points))]

    def gradients(self) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Losses [K] on the next mini-batches and, a parameter [K, …] each, their gradients; without penalty."""
        inputs, targets, per_point = self._batch()
        outputs = outputs_of_each(self.problem, self.leaves, inputs, per_point=per_point)
        losses = losses_of_each(self.problem, outputs, targets, per_point=per_point)
        gradients = torch.autograd.grad(losses.sum(), self.leaves, materialize_grads=True)
        return losses.detach(), gradients

    def _step(self) -> Tensor:
        """One step of every point; returns their losses [K]."""
        losses, gradients = self.gradients()
        with torch.no_grad():
            torch.cat([g.reshape(len(g), -1) for g in gradients], dim=1, out=self.fresh)
            if self.decay is not None:
                self.fresh.addcmul_(self.x, self.decay)
            for group, x, fresh in self.shares:
                group.step(self.time, x, fresh)
        self.time += 1
        return losses

    def _batch(self) -> tuple[Tensor, Tensor, bool]:
        """Inputs and targets of the next mini-batch, and whether each point has its own: [K, n, …]."""
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
        """losses [T, K] of the last T steps: records the points that diverged there, and goes on without them."""
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
        """Goes on with the rows where `kept` [K] is true."""
        self.x, self.limits = self.x[kept], None if self.limits is None else self.limits[kept]
        self.rows = [row for row, stays in zip(self.rows, kept.tolist(), strict=True) if stays]
        pieces = kept.split([len(group) for group in self.groups])
        for group, own in zip(self.groups, pieces, strict=True):
            if not own.all():
                group.keep(own)
        self.groups = [group for group in self.groups if len(group)]
        self._share_out()

    def _share_out(self) -> None:
        """Makes anew, after rows came or went, what refers to them.

        These are the parameters as views of x, the groups' parts of x and of the gradients, and which seed's
        mini-batches each row is given.
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
        """Loss and accuracy over the whole data set, [K] each; in pieces of as many examples as a step has."""
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
    """The rows of one delay and one kind of momentum: their gradients of the last τ+1 steps, their velocities."""

    def __init__(self, points: Sequence[Point], x: Tensor, course: Course) -> None:
        self.delay = points[0].delay
        storage = course.storage if self.delay else None
        self.downhill = _column([-p.learning_rate * (1 - p.momentum) for p in points], x)
        """-η(1-m), [k, 1]"""
        self.momentum = _column([p.momentum for p in points], x)
        shape = (len(points), x.shape[1])
        gradients, velocities = slots(points[0], course)
        self.gradients = x.new_empty((gradients, *shape), dtype=storage or x.dtype)
        """[τ+1, k, P]: that of step t is at t mod τ+1."""
        self.velocities = x.new_zeros((velocities, *shape)) if velocities else None

    def __len__(self) -> int:
        return len(self.momentum)

    def step(self, time: int, x: Tensor, fresh: Tensor) -> None:
        """Keeps this step's gradients [k, P] and makes the update that is due to x [k, P], in place."""
        self.gradients[time % len(self.gradients)] = fresh
        if time < self.delay:
            return
        due = self.gradients[(time + 1) % len(self.gradients)]
        if self.velocities is None:
            x.addcmul_(due, self.downhill)
            return
        v = self.velocities[time % len(self.velocities)]  # v[t-s], overwritten by v[t+1]
        v.mul_(self.momentum).addcmul_(due, self.downhill)
        x.add_(v)

    def keep(self, kept: Tensor) -> None:
        self.downhill, self.momentum = self.downhill[kept], self.momentum[kept]
        self.gradients = self.gradients[:, kept]
        if self.velocities is not None:
            self.velocities = self.velocities[:, kept]


def _column(values: list[float], x: Tensor) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).unsqueeze(1).to(x)


def slots(point: Point, course: Course) -> tuple[int, int]:
    """Returns how many gradients and how many velocities a point keeps."""
    longest = min(point.delay + 1, course.steps)
    if not point.momentum:
        return longest, 0
    return longest, longest if point.shifted else 1


def _group_key(point: Point) -> tuple[int, bool, bool]:
    return point.delay, point.momentum > 0, point.shifted
