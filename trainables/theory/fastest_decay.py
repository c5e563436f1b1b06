"""The step aη at which a displacement dies out fastest, and how fast.

A loop decays by a factor of 1/ρ a step or faster if A + aη B has no zero in |w| < ρ (`circle.py`). The larger ρ is, the
narrower the interval of such aη; ρ is bisected until the interval is a point.
"""

import math
from typing import NamedTuple

from tautune.trainables.theory.circle import Characteristic

PRECISION = 1e-11
"""Of log ρ, relative to 1/degree and to log ρ itself."""
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
    low, high, step = 0.0, 0.25 / characteristic.degree, math.nan
    while (found := _step(characteristic, high, threshold)) is not None:
        low, high, step = high, 2 * high, found
        if low > AT_ONCE:
            return Decay(step, -math.inf)
    while high - low > max(fine, PRECISION * high):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if (found := _step(characteristic, middle, threshold)) is None:
            high = middle
        else:
            low, step = middle, found
    return Decay(step, -low)


def _step(characteristic: Characteristic, log_ρ: float, threshold: float) -> float | None:
    """Returns an aη at which every zero has log|w| ≥ log ρ."""
    between = characteristic.circle(math.exp(log_ρ)).steps_without_zeros(below=threshold)
    return None if between is None else (between[0] + between[1]) / 2
