"""SGD with momentum on late gradients, slow and obvious: every past weight vector and every past gradient is kept."""

from collections.abc import Callable

import torch
from torch import Tensor

Correction = Callable[[Tensor, list[Tensor], int, int], Tensor]
"""(late gradient, weights x[0] … x[t], t, the step s at which it was computed) → the gradient that is applied."""


def train(
    x0: Tensor,
    gradient: Callable[[Tensor, int], Tensor],
    *,
    delays: list[Tensor],
    learning_rates: list[float],
    momentum: float,
    where: Callable[[list[Tensor], int], Tensor] = lambda x, t: x[t],
    correct: Correction = lambda g, x, t, s: g,
    factor: Callable[[int, int], float] = lambda delay, update: 1.0,
) -> list[Tensor]:
    """Returns the weights x[0], x[1], … after each step.

    Args:
        gradient: (weights, t) → ∇f at those weights on the mini-batch drawn at step t.
        delays: for each step, τ of each weight; a weight stays where it is while its gradient does not exist.
        where: (x[0] … x[t], t) → the weights at which the gradient of step t is computed.
        factor: (τ, updates so far) → what multiplies the learning rate.
    """
    x, v, g = [x0], torch.zeros_like(x0), []
    updates = 0
    for t, delay in enumerate(delays):
        g.append(gradient(where(x, t), t))
        new = x[t].clone()
        for age in sorted(set(delay.tolist())):
            if t - age < 0:
                continue
            at = delay == age
            late = correct(g[t - age], x, t, t - age)
            v = torch.where(at, momentum * v + late, v)
            new = torch.where(at, new - learning_rates[t] * factor(age, updates) * v, new)
        updates += bool((delay <= t).any())
        x.append(new)
    return x
