"""Late gradients, made smaller where the weights have gone far since they were computed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from tautune.trainables.delay.per_parameter import by_parameter, listed
from tautune.trainables.delay.remedies.remedy import UpdateRemedy
from tautune.trainables.delay.slices import slices
from tautune.trainables.delay.weight_history import WeightHistory


class GapAware(UpdateRemedy):
    r"""Divides each component of a late gradient by one plus its gap, counted in steps of average size.

        g~ = g / (1 + |x[t] - x[t-τ]| / C),    C = η_max (√v̂ + ε)

    where v̂ is the bias-corrected average, with decay γ, of the square of (x[t] - x[t-1]) / η, one entry an update (for
    SGD with momentum that is its velocity), and η_max is the largest learning rate that the group has had. Weight
    decay inside the wrapped optimizer is not late, and is left alone.

    Memory: τ+2 copies of the weights; with a delay for each parameter group, of the group's weights.

    Source: Barkai, Hakimi, Schuster, "Gap-Aware Mitigation of Gradient Staleness", ICLR 2020 (arXiv 1909.10802); C as
    in FTPipe's code, which is by one of its authors' group.

    Args:
        optimizer: a `GradientQueue` or `WeightStashing`, or another remedy around one.
        decay: γ in [0, 1).
        epsilon: ε > 0.

    Raises:
        ValueError: γ or ε is out of its bounds, or `optimizer` has no delay; in a step, if a gradient is sparse.
    """

    KEY = "gap_aware"
    ATTRIBUTES = ("decay", "epsilon", "updates", "_history", "_squares", "_rates", "_largest")

    def __init__(self, optimizer: Optimizer, *, decay: float = 0.999, epsilon: float = 1e-8) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be in [0, 1), not {decay!r}")
        if not 0 < epsilon < float("inf"):
            raise ValueError(f"epsilon must be a finite number above 0, not {epsilon!r}")
        self.decay, self.epsilon, self.updates = decay, epsilon, 0
        self._history = WeightHistory()
        self._squares: dict[Tensor, Tensor] = {}
        self._rates: list[float] = []  # of the last update
        self._largest: list[float] = []
        super().__init__(optimizer)

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        self._history.keep(self.param_groups, self.delayed.longest_delays, self.delayed.time)
        return super()._step(closure)

    @contextmanager
    def _around_update(self) -> Iterator[None]:
        self.updates += 1
        rates = [float(group["lr"]) for group in self.param_groups]
        added = [0.0] * (len(rates) - len(self._rates))
        last = self._rates + added
        self._largest = [max(pair) for pair in zip(self._largest + added, rates, strict=True)]
        with torch.no_grad():
            for group, age, η, η_max in zip(self.param_groups, self.delayed.ages, last, self._largest, strict=True):
                if not age:
                    continue
                for x in group["params"]:
                    self._shrink(x, self._history.at(x, self.delayed.now - age), η, η_max)
        self._rates = rates
        yield

    def _shrink(self, x: Tensor, x_old: Tensor | None, η: float, η_max: float) -> None:
        """Lets the last step of a parameter, made at η, enter its average, and divides its gradient by its penalty."""
        γ, ε = self.decay, self.epsilon
        if x not in self._squares:
            self._squares[x] = torch.zeros_like(x, requires_grad=False)
        last = self._history.at(x, self._history.time - 1)
        share = (1 - γ) / η**2 if η > 0 else 0.0
        late = [] if x.grad is None or x_old is None or η_max == 0 else [x.grad]
        if late and late[0].layout is not torch.strided:
            raise ValueError("gap-aware needs dense gradients: use no sparse embedding")
        here = (x, self._squares[x], x if last is None else last, x if x_old is None else x_old, *late)
        for now, average, before, old, *gradient in slices(*here):
            step = now - before
            average.mul_(γ).addcmul_(step, step, value=share)
            for g in gradient:
                C = (average / (1 - γ**self.updates)).sqrt_().add_(ε).mul_(η_max)
                g.div_((now - old).abs_().div_(C).add_(1))

    def _memory(self) -> dict[str, Any]:
        return {
            "updates": self.updates,
            "rates": list(self._rates),
            "largest": list(self._largest),
            "squares": listed(self._squares, self.param_groups),
            "history": self._history.state(self.param_groups),
        }

    def _remembered(self, memory: dict[str, Any] | None) -> Callable[[], None]:
        if memory is None:
            memory = {"updates": 0, "rates": [], "largest": [], "squares": [], "history": {"time": -1, "weights": []}}
        squares = {}
        if memory["squares"]:
            squares = by_parameter(memory["squares"], self.param_groups, what="squared steps")
        history = WeightHistory.loaded(memory["history"], self.param_groups)

        def remember() -> None:
            self.updates, self._squares, self._history = memory["updates"], squares, history
            self._rates, self._largest = list(memory["rates"]), list(memory["largest"])

        return remember
