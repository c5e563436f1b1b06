"""Learning-rate schedules: the factor on the learning rate, by the share of the training that is done."""

from collections.abc import Callable
from math import cos, pi

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "cosine": lambda done: (1 + cos(pi * done)) / 2,
    "linear": lambda done: 1 - done,
    "step": lambda done: 0.1 if 0.5 <= done < 0.75 else 0.01 if done >= 0.75 else 1.0,
}
"""`step` divides by 10 at half and again at three quarters (He et al., 2016)."""


def factor(schedule: str, done: float, *, warmup: float = 0.0, step: float = 0.0) -> float:
    """Returns the factor on the learning rate when a share `done` in [0, 1] of the steps is done.

    Args:
        schedule: one of `SCHEDULES`.
        done: share of the steps that is done.
        warmup: share of the steps over which the factor first rises linearly; the schedule takes the rest.
        step: share of the steps that one step is, so that the first step is not one with a factor of 0.
    """
    if done < warmup:
        return min((done + step) / warmup, 1.0)
    return SCHEDULES[schedule]((done - warmup) / (1 - warmup))
