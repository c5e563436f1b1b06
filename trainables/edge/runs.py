"""Several full-batch trainings at once, each with its own delay and learning rate, by the optimizers that a user has.

The network is evaluated for all of them together, as a grid does; then torch's own optimizer, behind tautune's own
gradient queue, makes a step for each one, which is a parameter group of its own with its own delay.

Shapes: K trainings, P parameters. x is [K, P].
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from tautune.trainables.curvature.preconditioner import is_ready, preconditioner
from tautune.trainables.delay.queue import GradientQueue
from tautune.trainables.edge.names import MOMENTUM
from tautune.trainables.grid.stacked_network import losses_of_each, outputs_of_each
from tautune.trainables.theory.problem import Problem, twice_differentiable

DIVERGED = 10.0
"""Factor by which a loss may exceed its first value, or 1 if that is larger."""

Make = Callable[[list[dict[str, Any]], float], Optimizer]
OPTIMIZERS: dict[str, Make] = {
    "sgd": lambda groups, β: torch.optim.SGD(groups, 1.0),
    "momentum": lambda groups, β: torch.optim.SGD(groups, 1.0, momentum=MOMENTUM),
    "adam": lambda groups, β: torch.optim.Adam(groups, 1.0, betas=(MOMENTUM, β)),
    "rmsprop": lambda groups, β: torch.optim.RMSprop(groups, 1.0, alpha=β),
    "nadam": lambda groups, β: torch.optim.NAdam(groups, 1.0, betas=(MOMENTUM, β)),
}
"""Each takes groups with their learning rates, and β₂."""


class Run(NamedTuple):
    """The settings of one training."""

    delay: int
    learning_rate: float
    seed: int = 0


class Runs:
    """The trainings of one optimizer, all at the same step.

    Args:
        problem: evaluated in the mode that its model is in.
        starts: initial weights [P] of each run.
        optimizer: a name of `OPTIMIZERS`.
        decay: β₂ of those that divide by an average of squares.
        stacked: whether the network can be evaluated for several weights at once.
    """

    def __init__(
        self,
        problem: Problem,
        runs: Sequence[Run],
        starts: Sequence[Tensor],
        *,
        optimizer: str,
        decay: float = 0.999,
        stacked: bool = True,
    ) -> None:
        self.problem, self.runs, self.stacked = problem, list(runs), stacked
        self.x = torch.stack([start.to(problem.point) for start in starts])
        self.rows = [nn.Parameter(row) for row in self.x]
        names = [str(k) for k in range(len(self.rows))]
        groups: list[dict[str, Any]] = [
            {"params": [row], "lr": run.learning_rate, "name": name}
            for row, run, name in zip(self.rows, runs, names, strict=True)
        ]
        self.optimizer = OPTIMIZERS[optimizer](groups, decay)
        self.queue = GradientQueue(self.optimizer, {name: run.delay for name, run in zip(names, runs, strict=True)})
        sizes = [p.numel() for p in problem.parameters]
        views = zip(self.x.split(sizes, dim=1), problem.parameters, strict=True)
        self.leaves = tuple(view.detach().view(len(view), *p.shape).requires_grad_() for view, p in views)
        self.penalty = problem.decay if problem.l2 else None
        self.time = 0
        self.limits: Tensor | None = None
        self.diverged: dict[int, int] = {}
        """The step at which a training diverged, by its index."""

    @property
    def alive(self) -> list[int]:
        """The indices of the trainings that have not diverged."""
        return [k for k in range(len(self.runs)) if k not in self.diverged]

    def step(self) -> Tensor:
        """Makes one step with every training, and returns their losses [K] before it, without the penalty."""
        losses = torch.zeros(len(self.rows), dtype=self.x.dtype, device=self.x.device)
        fresh = torch.zeros_like(self.x)
        for share, each in self._losses():
            gradients = torch.autograd.grad(each.sum(), self.leaves, materialize_grads=True)
            losses += share * each.detach()
            fresh += share * torch.cat([g.reshape(len(g), -1) for g in gradients], dim=1)
        if self.penalty is not None:
            fresh += self.penalty * self.x
        for row, gradient in zip(self.rows, fresh, strict=True):
            row.grad = gradient.clone()
        self.queue.step()
        self.time += 1
        self._take_out(losses)
        return losses

    def products(self, V: Tensor) -> Tensor:
        """Returns each training's Hessian times its own vector [K, P]: they do not depend on one another."""
        product = torch.zeros_like(V)
        with twice_differentiable(self.problem.model, V.device):
            for share, each in self._losses():
                gradients = torch.autograd.grad(each.sum(), self.leaves, create_graph=True, materialize_grads=True)
                along = (torch.cat([g.reshape(len(g), -1) for g in gradients], dim=1) * V).sum()
                bent = torch.autograd.grad(along, self.leaves, materialize_grads=True)
                product += share * torch.cat([g.reshape(len(g), -1) for g in bent], dim=1)
        return product if self.penalty is None else product + self.penalty * V

    def scales(self) -> Tensor | None:
        """Returns √(1/P) of every training [K, P]; None before all have a state to divide by."""
        if not all(is_ready(self.optimizer, [self.rows[k]]) for k in self.alive):
            return None
        scales = torch.ones_like(self.x)
        for k in self.alive:
            own = preconditioner(self.optimizer, [self.rows[k]]).scale
            if own is not None:
                scales[k] = own
        return scales

    def _losses(self) -> Any:
        """Yields the share of the examples, and the losses [K] over them with their graph."""
        problem = self.problem
        for inputs, targets, share in problem.chunks():
            if self.stacked:
                outputs = outputs_of_each(problem, self.leaves, inputs, per_point=False)
                yield share, losses_of_each(problem, outputs, targets, per_point=False)
                continue
            each = []
            for k in range(len(self.rows)):
                own = {name: leaf[k] for name, leaf in zip(problem.names, self.leaves, strict=True)}
                each.append(problem.loss(functional_call(problem.model, own, (inputs,)), targets))
            yield share, torch.stack(each)

    def _take_out(self, losses: Tensor) -> None:
        """Stops the trainings whose loss is too large or not finite, and puts their weights at 0."""
        if self.limits is None:
            self.limits = DIVERGED * losses.clamp_min(1.0)
        for k, fits in enumerate((losses <= self.limits).tolist()):
            if not fits and k not in self.diverged:
                self.diverged[k] = self.time
        for k in self.diverged:
            self.rows[k].data.zero_()
