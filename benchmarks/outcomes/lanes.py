"""Trains many copies of one network together, each with an optimizer of its own, queue and remedies included.

Their gradients are evaluated together, as a grid's are; each is then applied by its lane's own optimizer, whose one
parameter is that lane's row of the stacked weights. So what is trained is what `tautune advise` prints, not a twin of
it. The lanes of a seed share their mini-batches.

Shapes: K lanes, P parameters, n examples of a mini-batch.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tautune.trainables.grid.point import loss_limit
from tautune.trainables.grid.stacked_network import accuracies_of_each, losses_of_each, outputs_of_each
from tautune.trainables.theory.problem import Problem

MakeOptimizer = Callable[[nn.Module], Optimizer]


class Lane(NamedTuple):
    seed: int
    """Of the initial weights and of the order of the mini-batches."""
    make: MakeOptimizer
    """Makes the optimizer of a module that has the lane's weights."""


class Outcome(NamedTuple):
    loss: float
    """On the validation examples after the last step; the limit if training diverged."""
    accuracy: float
    test_accuracy: float
    """The same on the test examples, where there are some."""
    diverged: bool
    """Whether that loss is not finite, or above ten times what it was before training."""


def train(
    problem: Problem,
    validation: Problem,
    starts: Mapping[int, Tensor],
    lanes: Sequence[Lane],
    *,
    steps: int,
    mini_batch: int | None,
    test: Problem | None = None,
) -> list[Outcome]:
    """Returns the outcome of each lane after `steps` steps from the initial weights `starts` [P] of its seed."""
    stacked = Stack(problem, starts, lanes, mini_batch)
    limits = [loss_limit(before) for before in stacked.evaluated(validation)[0].tolist()]
    for _ in range(steps):
        stacked.step()
    losses, accuracies = stacked.evaluated(validation)
    tested = torch.zeros_like(accuracies) if test is None else stacked.evaluated(test)[1]
    ends = zip(losses.tolist(), accuracies.tolist(), tested.tolist(), limits, strict=True)
    return [
        Outcome(loss, accuracy, on_test, False) if loss <= limit else Outcome(limit, 0.0, 0.0, True)
        for loss, accuracy, on_test, limit in ends
    ]


class Stack:
    """The weights of all lanes, their optimizers, and their mini-batches."""

    def __init__(
        self, problem: Problem, starts: Mapping[int, Tensor], lanes: Sequence[Lane], mini_batch: int | None
    ) -> None:
        self.problem = problem
        self.x = torch.stack([starts[lane.seed] for lane in lanes])
        self.modules = [nn.ParameterList([nn.Parameter(row)]) for row in self.x]  # each a view of its row
        self.optimizers = [lane.make(module) for lane, module in zip(lanes, self.modules, strict=True)]
        self.batches = {lane.seed: problem.batches(mini_batch, lane.seed) for lane in lanes}
        order = list(self.batches)
        self.seeds = torch.tensor([order.index(lane.seed) for lane in lanes])
        pieces = zip(self.x.split([p.numel() for p in problem.parameters], dim=1), problem.parameters, strict=True)
        self.leaves = tuple(piece.detach().view(-1, *p.shape).requires_grad_() for piece, p in pieces)

    def step(self) -> None:
        """Makes a step of every lane."""
        with ExitStack() as predicted:
            for optimizer in self.optimizers:
                if hasattr(optimizer, "predicted"):
                    predicted.enter_context(optimizer.predicted())
            gradients = self.gradients()
        for module, optimizer, gradient in zip(self.modules, self.optimizers, gradients, strict=True):
            next(module.parameters()).grad = gradient.clone()  # the queue keeps it, and it must be its own
            optimizer.step()

    def gradients(self) -> Tensor:
        """Returns the gradients [K, P] on the next mini-batches."""
        problem = self.problem
        indices = [index for index in (next(batches) for batches in self.batches.values()) if index is not None]
        inputs, targets = problem.inputs, problem.targets
        if indices:
            drawn = torch.stack(indices)[self.seeds]
            inputs, targets = inputs[drawn], targets[drawn]
        outputs = outputs_of_each(problem, self.leaves, inputs, per_point=bool(indices))
        losses = losses_of_each(problem, outputs, targets, per_point=bool(indices))
        pieces = torch.autograd.grad(losses.sum(), self.leaves)
        return torch.cat([piece.reshape(len(piece), -1) for piece in pieces], dim=1)

    @torch.no_grad()
    def evaluated(self, on: Problem) -> tuple[Tensor, Tensor]:
        """Returns losses and accuracies [K] on a problem's examples."""
        outputs = outputs_of_each(on, self.leaves, on.inputs, per_point=False)
        losses = losses_of_each(on, outputs, on.targets, per_point=False)
        return losses.nan_to_num(math.inf), accuracies_of_each(outputs, on.targets)
