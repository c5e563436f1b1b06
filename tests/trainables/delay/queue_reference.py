"""The paper's updates, slow and obvious: every past weight vector and every past velocity is kept."""

from collections.abc import Callable

import torch
from torch import Tensor


def train(
    x0: Tensor,
    gradient: Callable[[Tensor, int], Tensor],
    *,
    learning_rate: float,
    momentum: float,
    shifted: bool,
    delays: list[int],
) -> list[Tensor]:
    """Weights x[0], x[1], … after each of len(delays) steps.

    Args:
        gradient: (weights, t) → ∇f at those weights on the mini-batch drawn at step t.
        delays: τ at each step; no update is made while the gradient asked for does not exist.
    """
    x, v = [x0], [torch.zeros_like(x0)]
    for t, delay in enumerate(delays):
        source = t - delay
        if source < 0:
            x.append(x[-1])
            v.append(torch.zeros_like(x0))
            continue
        g = gradient(x[source], source)
        old = v[source] if shifted else v[t]  # v[t-τ] or v[t]
        v.append(momentum * old - learning_rate * (1 - momentum) * g)
        x.append(x[t] + v[t + 1])
    return x
