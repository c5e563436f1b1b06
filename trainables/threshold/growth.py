"""Estimates how fast the distance to a minimum grows or shrinks per step from a short record of it.

A delayed iteration near its minimum is a sum of modes z^t. After a while only the slowest one, z = r exp(±iθ), is left,
and d[t] = A r^t cos(θt + φ). Such a sequence obeys d[t+2L] = c₁ d[t+L] + c₂ d[t] exactly, for any lag L, and the roots
of w² = c₁ w + c₂ are z^L. So a least-squares fit gives r without knowing θ and before the distance has changed by a
factor of e (Prony's method, or linear prediction). Nothing here uses the theory of delays.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Record = NDArray[np.float64]


class Growth(NamedTuple):
    rate: float
    """ln r, per step: negative where the distance shrinks. It is always finite."""
    error: float
    """Spread of the last estimates of the rate, per step."""
    steps: int
    """Number of steps in the record."""


def oscillation_rate(record: Record, lag: int) -> float:
    """Returns ln r of the slowest mode in the second half of a record [T] of signed distances without noise.

    Args:
        record: signed distances along one direction, one per step.
        lag: L ≥ 1, the number of steps between the samples that are compared; a quarter of the period is best. A mode
            that turns by a tenth of a radian in L steps is still resolved.
    """
    tail = record[len(record) // 2 :]
    earlier = np.stack([tail[lag:-lag], tail[: -2 * lag]], axis=1)
    # With a single real mode the two columns are parallel; the cut-off keeps the fit from following rounding errors.
    (c1, c2), *_ = np.linalg.lstsq(earlier, tail[2 * lag :], rcond=1e-3)
    return float(np.log(np.abs(np.roots([1.0, -c1, -c2])).max()) / lag)


def envelope_rate(record: Record) -> float:
    """Returns the slope of ln distance between the second and the last quarter of a record [T] with noise."""
    quarter = len(record) // 4
    energy = np.square(record)
    early, late = energy[quarter : 2 * quarter].mean(), energy[-quarter:].mean()
    return float(0.5 * np.log(late / early) / (len(record) - 2 * quarter))
