"""Late gradients, corrected to first order by a cheap guess of the curvature (DC-ASGD)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any

import torch
from torch.optim import Optimizer

from tautune.trainables.delay.remedies.remedy import UpdateRemedy
from tautune.trainables.delay.slices import slices
from tautune.trainables.delay.weight_history import WeightHistory


class DelayCompensation(UpdateRemedy):
    r"""Corrects a late gradient g for the way that the weights have gone since it was computed.

        g~ = g + λ g ⊙ g ⊙ (x[t] - x[t-τ])

    The products g ⊙ g stand for the diagonal of the Hessian. Gradients that are not late are left alone.

    Memory: τ+1 copies of the weights; with a delay for each parameter group, of the group's weights.

    Source: Zheng et al., "Asynchronous Stochastic Gradient Descent with Delay Compensation", ICML 2017
    (arXiv 1609.08326), equation 10, with the constant λ of DC-ASGD-c; MXNet's optimizer `DCASGD` is the same at τ = 1.

    Args:
        optimizer: a `GradientQueue` or `WeightStashing`, or another remedy around one.
        strength: λ ≥ 0; the paper's and MXNet's is 0.04.

    Raises:
        ValueError: λ is negative or infinite, or `optimizer` has no delay; in a step, if a gradient is sparse.
    """

    KEY = "delay_compensation"
    ATTRIBUTES = ("strength", "_history")

    def __init__(self, optimizer: Optimizer, strength: float = 0.04) -> None:
        if not isinstance(strength, Real) or not 0 <= strength < float("inf"):
            raise ValueError(f"strength must be a finite number ≥ 0, not {strength!r}")
        self.strength: float = strength
        self._history: WeightHistory = WeightHistory()
        super().__init__(optimizer)

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        self._history.keep(self.param_groups, self.delayed.longest_delays, self.delayed.time)
        return super()._step(closure)

    @contextmanager
    def _around_update(self) -> Iterator[None]:
        with torch.no_grad():
            for group, age in zip(self.param_groups, self.delayed.ages, strict=True):
                if not age:
                    continue
                for x in group["params"]:
                    x_old = self._history.at(x, self.delayed.now - age)
                    if x.grad is None or x_old is None:
                        continue
                    if x.grad.layout is not torch.strided:
                        raise ValueError("delay compensation needs dense gradients: use no sparse embedding")
                    for new, old, g in slices(x, x_old, x.grad):
                        g.addcmul_((new - old).mul_(g), g, value=self.strength)
        yield

    def _memory(self) -> dict[str, Any]:
        return self._history.state(self.param_groups)

    def _remembered(self, memory: dict[str, Any] | None) -> Callable[[], None]:
        history = WeightHistory() if memory is None else WeightHistory.loaded(memory, self.param_groups)
        return lambda: setattr(self, "_history", history)
