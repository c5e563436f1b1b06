"""SGD with the paper's momentum, dampened, and, if wanted, with a velocity that is late too."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer

from tautune.trainables.theory.momentum import check_momentum
from tautune.trainables.theory.stability import check_delay


class ShiftedMomentumSGD(Optimizer):
    r"""SGD whose velocity is `shift` steps late, with the dampening of the paper.

        v[t+1] = m v[t-s] - η (1-m) g[t],    x[t+1] = x[t] + v[t+1]

    With shift s = τ behind a `GradientQueue` of delay τ this is the paper's shifted momentum. With s = 0 it is the
    paper's momentum, which differs from torch's `SGD(momentum=m, dampening=m)` in the first step only: torch does
    not dampen that one. The optimizer holds shift+1 velocities. A parameter without a gradient is left alone.

    Source: Giladi et al., ICLR 2020 (arXiv 1909.12340).

    Raises:
        ValueError: lr < 0, momentum outside [0, 1), or a shift that is not an integer ≥ 0.
    """

    slot: int | None = None
    """Which of the shift+1 velocities takes the next update; None is the oldest. Each worker may have one."""

    def __init__(self, params: Iterable[Any], lr: float, *, momentum: float, shift: int = 0) -> None:
        if not lr >= 0:
            raise ValueError(f"lr must be at least 0, not {lr!r}")
        check_momentum(momentum)
        check_delay(shift)
        super().__init__(params, {"lr": lr, "momentum": momentum, "shift": shift})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Makes one update. Returns the closure's value, if there is a closure."""
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure()
        for group in self.param_groups:
            η, m, period = group["lr"], group["momentum"], group["shift"] + 1
            for x in group["params"]:
                if x.grad is None:
                    continue
                state = self.state[x]
                if not state:
                    state["step"] = 0
                    state["velocities"] = [torch.zeros_like(x) for _ in range(period)]
                turn = state["step"] if self.slot is None else self.slot
                v = state["velocities"][turn % period]  # v[t-s], overwritten by v[t+1]
                v.mul_(m).add_(x.grad, alpha=-η * (1 - m))
                x.add_(v)
                state["step"] += 1
        return value
