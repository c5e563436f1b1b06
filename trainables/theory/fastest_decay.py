"""The step aη at which a displacement dies out fastest, and how fast.

A loop decays by a factor of 1/ρ a step or faster if A + aη B has no zero in |w| < ρ (`circle.py`). The larger ρ is, the
narrower the interval of such aη; ρ is bisected until the interval is a point.
"""

import math
from typing import NamedTuple

from tautune.trainables.theory.circle import Characteristic
from tautune.trainables.theory.lag_polynomial import Reals

PRECISION = 1e-11
"""Of log ρ, relative to 1/degree and to log ρ itself."""
BESIDE = 1e-6
"""Of log ρ, relative to 1/degree, by which a faster decay is told from the same one."""
SPARE = 1.01
"""By how much the next search goes beyond the last aη that was good enough."""
AT_ONCE = 40.0
"""log ρ at which a loop counts as one that forgets at once: exp(-40) is below the rounding of 1."""


class Decay(NamedTuple):
    """A step and what it does."""

    step: float
    """aη."""
    growth: float
    """ln|z| of the dominant root z: below 0 by the share of its size that a displacement loses at each step."""


def fastest_decay(characteristic: Characteristic, threshold: float) -> Decay:
    """Returns the aη of fastest decay below the threshold, and its growth: -inf where all is gone at once."""
    fine = PRECISION / characteristic.degree
    low, high, step, below = 0.0, 0.25 / characteristic.degree, math.nan, threshold
    while len(free := _free(characteristic, high, below)):
        low, high, step, below = high, 2 * high, _middle(free), _beyond(free, below)
        if low > AT_ONCE:
            return Decay(step, -math.inf)
    while high - low > max(fine, PRECISION * high):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if len(free := _free(characteristic, middle, below)):
            low, step, below = middle, _middle(free), _beyond(free, below)
        else:
            high = middle
    return Decay(step, -low)


def is_above(step: float, characteristic: Characteristic, growth: float, threshold: float) -> bool:
    """Returns whether the aη of fastest decay is known to be above a step, whose own growth is given.

    It is, if each aη with a faster decay is: those are free of zeros in a circle that is a little larger.
    """
    free = _free(characteristic, -growth + BESIDE / characteristic.degree, threshold)
    return len(free) > 0 and float(free[0, 0]) > step


def _free(characteristic: Characteristic, log_ρ: float, below: float) -> Reals:
    """Returns the intervals [intervals, 2] of aη at which every zero has log|w| ≥ log ρ."""
    return characteristic.circle(math.exp(log_ρ)).steps_without_zeros(below)


def _middle(free: Reals) -> float:
    return float(free[0].sum()) / 2


def _beyond(free: Reals, below: float) -> float:
    """Returns a bound of the aη that decay faster still, which leaves out most of the circle."""
    return min(below, SPARE * float(free[-1, 1]))
