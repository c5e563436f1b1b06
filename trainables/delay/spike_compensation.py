"""SGD with momentum, whose velocity skips what a late gradient would have done on its way (spike compensation)."""

from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any

import torch
from torch.optim import Optimizer

from tautune.trainables.theory.momentum import check_momentum


class SpikeCompensatedSGD(Optimizer):
    r"""SGD with undampened momentum, in which a gradient that is D steps late has the effect of those D steps at once.

        v[t+1] = m v[t] + g[t],    x[t+1] = x[t] - η (m^D v[t+1] + (1 - m^D)/(1 - m) g[t])

    Where the gradient is D steps late, all velocities from then on are as if it had arrived in time. Around a minimum
    the transfer function of momentum, z/(z - m), becomes m^D z/(z - m) + (1 - m^D)/(1 - m). With D = 0 it is torch's
    `SGD(momentum=m)`. As there, weight decay adds to the gradient; a parameter without a gradient is left alone.

    Memory: one velocity, as momentum without the compensation has.

    Source: Kosson, Chiley, Venigalla, Hestness, Köster, "Pipelined Backpropagation at Scale", MLSys 2021
    (arXiv 2003.11666).

    Args:
        params: parameters or parameter groups; a group may have settings of its own.
        lr: η ≥ 0.
        momentum: m in [0, 1).
        horizon: D ≥ 0 in steps, usually the delay.
        weight_decay: coefficient ≥ 0 of the weights in the gradient.

    Raises:
        ValueError: a setting is out of its bounds.
    """

    def __init__(
        self, params: Iterable[Any], lr: float, *, momentum: float, horizon: float, weight_decay: float = 0.0
    ) -> None:
        for name, value in (("lr", lr), ("horizon", horizon), ("weight_decay", weight_decay)):
            if not isinstance(value, Real | torch.Tensor) or not value >= 0:
                raise ValueError(f"{name} must be at least 0, not {value!r}")
        check_momentum(momentum)
        super().__init__(params, {"lr": lr, "momentum": momentum, "horizon": horizon, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Makes one update. Returns the closure's value, if there is a closure."""
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure()
        for group in self.param_groups:
            η, m = group["lr"], group["momentum"]
            a = m ** group["horizon"]
            b = (1 - a) / (1 - m)
            for x in group["params"]:
                if x.grad is None:
                    continue
                g = x.grad.add(x, alpha=group["weight_decay"]) if group["weight_decay"] else x.grad
                state = self.state[x]
                if not state:
                    state["velocity"] = torch.zeros_like(x)
                v = state["velocity"].mul_(m).add_(g)
                x.add_(v, alpha=-η * a).add_(g, alpha=-η * b)
        return value
