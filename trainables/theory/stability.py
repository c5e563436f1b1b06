r"""Which learning rates are stable when gradients arrive τ steps late.

Near a minimum of curvature a, asynchronous SGD is a linear recursion in the distance x to the minimum
(Giladi et al., "At Stability's Edge", ICLR 2020):

    plain      x[t+1] = x[t] - η a x[t-τ]
    momentum   v[t+1] = m v[t]   - η (1-m) a x[t-τ],   x[t+1] = x[t] + v[t+1]
    shifted    v[t+1] = m v[t-τ] - η (1-m) a x[t-τ],   x[t+1] = x[t] + v[t+1]

The recursion is stable if and only if every root of its characteristic polynomial lies inside the unit circle. With
k = η (1-m) a, a root z on the circle satisfies

    k = -z^τ (z - 1) (1 - m/z)        plain (m = 0) and momentum
    k = -(1 - 1/z) (z^(τ+1) - m)      shifted

and z = exp(iθ) turns both into one pair of real equations,

    cos((τ+½) θ) = m cos(s θ),        k = 2 sin(θ/2) [ sin((τ+½) θ) - m sin(s θ) ],

where s = τ-½ for momentum and s = -½ for shifted momentum. The smallest root θ lies in (0, π/(2τ+1)] and gives
the threshold aη = k/(1-m). Without momentum θ = π/(2τ+1), hence the paper's aη = 2 sin(π/(4τ+2)). The code writes the
differences of cosines and of sines in both equations as products, so that no digits are lost as m → 1.

Symbols: τ `delay` (steps), η `learning_rate`, m `momentum`, a or λ `sharpness`, aη `step` (dimensionless).
This module needs only numpy.
"""

import math
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from tautune.trainables.theory.momentum import Momentum, check_momentum

LARGEST_DELAY = 10**15
"""Largest delay in optimizer steps: up to it, τ+½ is exact in double precision."""

LARGEST_RATE = 1e30
"""Largest learning rate of a training: torch multiplies with it in single precision, which ends at 3e38, and some
optimizers divide it by 1-β first."""


def threshold(delay: int, momentum: Momentum | float = 0.0, *, shifted: bool = False) -> float:
    """Returns the aη at which the recursion stops being stable: it is stable below this value and not from it on.

    Args:
        delay: τ ≥ 0, in optimizer steps; the cost does not depend on its size.
        momentum: m in [0, 1), dampened by (1-m) as in the paper. For torch's undampened momentum, multiply the
            result by (1-m).
        shifted: whether the velocity is delayed too (the paper's shifted momentum).

    Raises:
        ValueError: delay is not an integer ≥ 0, or momentum is outside [0, 1).
    """
    momentum, shifted = _pair(momentum, shifted)
    θ = boundary_angle(delay, momentum, shifted=shifted)
    s, mean, half = _phases(delay, shifted)
    difference = 2 * math.cos(mean * θ) * math.sin(half * θ)  # sin((τ+½) θ) - sin(s θ)
    return 2 * math.sin(θ / 2) * (math.sin(s * θ) + difference / (1 - momentum))


def boundary_angle(delay: int, momentum: Momentum | float = 0.0, *, shifted: bool = False) -> float:
    """Returns the angle θ, in radians per step, with which the distance to the minimum oscillates at the threshold."""
    check_delay(delay)
    momentum, shifted = _pair(momentum, shifted)
    s, mean, half = _phases(delay, shifted)
    low, high = 0.0, math.pi / (2 * delay + 1)
    while low < (middle := (low + high) / 2) < high:  # to the last bit, about 55 halvings
        difference = -2 * math.sin(mean * middle) * math.sin(half * middle)  # cos((τ+½) θ) - cos(s θ)
        if (1 - momentum) * math.cos(s * middle) + difference > 0:
            low = middle
        else:
            high = middle
    return high


def _phases(delay: int, shifted: bool) -> tuple[float, float, float]:
    """Returns s, half the sum of τ+½ and s, and half their difference."""
    s = -0.5 if shifted else delay - 0.5
    return s, (delay + 0.5 + s) / 2, (delay + 0.5 - s) / 2


def linear_approximation(delay: int, momentum: Momentum | float = 0.0, *, shifted: bool = False) -> float:
    """Returns the threshold's approximation for large τ: its inverse is linear in τ, with an error of O(1/τ).

    Plain: aη ≈ π/(2τ+1), the paper's 1/τ rule. Momentum: aη ≈ π/(2τ + (1+m)/(1-m)).
    Shifted, with α = arccos(m): 1/(aη) ≈ (1-m)(2τ+1) / (2α sin α) - m / (2(1+m)).
    """
    check_delay(delay)
    momentum, shifted = _pair(momentum, shifted)
    if shifted:
        α = math.acos(momentum)
        return 1 / ((1 - momentum) * (2 * delay + 1) / (2 * α * math.sin(α)) - momentum / (2 * (1 + momentum)))
    return math.pi / (2 * delay + (1 + momentum) / (1 - momentum))


def max_stable_learning_rate(
    sharpness: float, delay: int, momentum: Momentum | float = 0.0, *, shifted: bool = False
) -> float:
    """Returns the learning rate η = threshold/λ below which a minimum of sharpness λ > 0 is stable."""
    check_positive("sharpness", sharpness)
    learning_rate = threshold(delay, momentum, shifted=shifted) / sharpness
    if math.isinf(learning_rate):
        raise ValueError(f"sharpness is too small for a finite learning rate: {sharpness!r}")
    return learning_rate


def max_stable_delay(step: float, momentum: Momentum | float = 0.0, *, shifted: bool = False) -> int | None:
    """Returns the largest delay τ that is stable at `step` = aη > 0, or None if even τ = 0 is unstable.

    Raises:
        ValueError: step is not a finite number above 0, or is so small that delays above `LARGEST_DELAY` are stable.
    """
    check_positive("step", step)
    momentum, shifted = _pair(momentum, shifted)

    def stable(delay: int) -> bool:
        return step < threshold(delay, momentum, shifted=shifted)

    if not stable(0):
        return None
    low, high = 0, 1
    while stable(high):
        if high == LARGEST_DELAY:
            least = threshold(LARGEST_DELAY, momentum, shifted=shifted)
            raise ValueError(f"step must be at least {least:.3g}, not {step!r}: it is stable at every delay up to 1e15")
        low, high = high, min(2 * high, LARGEST_DELAY)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if stable(middle) else (low, middle)
    return low


def transfer_learning_rate(
    learning_rate: float, *, from_delay: int, to_delay: int, momentum: Momentum | float = 0.0, shifted: bool = False
) -> float:
    """Returns the learning rate for `to_delay` that is the same fraction of its threshold as the one at `from_delay`.

    Args:
        learning_rate: η that works well at `from_delay`.
    """
    check_positive("learning_rate", learning_rate)
    here = threshold(from_delay, momentum, shifted=shifted)
    there = threshold(to_delay, momentum, shifted=shifted)
    return learning_rate * there / here


def characteristic_polynomial(
    step: float, delay: int, momentum: Momentum | float = 0.0, *, shifted: bool = False
) -> NDArray[np.float64]:
    """Returns the coefficients, highest power first, of the recursion's characteristic polynomial at `step` = aη.

    Shape [τ+2] plain, [max(τ, 1)+2] momentum, [τ+3] shifted. It serves as an independent check of `threshold`: it
    comes from the recursion alone, and its cost grows with τ.
    """
    check_delay(delay)
    momentum, shifted = _pair(momentum, shifted)
    k = step * (1 - momentum)
    if shifted:  # z^(τ+2) - z^(τ+1) - (m - k) z + m
        terms = [(delay + 2, 1.0), (delay + 1, -1.0), (1, k - momentum), (0, momentum)]
    elif momentum:  # z^(τ+1) - (1+m) z^τ + m z^(τ-1) + k, times z where τ = 0
        degree = max(delay, 1) + 1
        terms = [(degree, 1.0), (degree - 1, -1 - momentum), (degree - 2, momentum), (degree - 1 - delay, k)]
    else:  # z^(τ+1) - z^τ + k
        terms = [(delay + 1, 1.0), (delay, -1.0), (0, k)]
    coefficients = np.zeros(terms[0][0] + 1)
    for power, coefficient in terms:
        coefficients[len(coefficients) - 1 - power] += coefficient
    return coefficients


def spectral_radius(step: float, delay: int, momentum: Momentum | float = 0.0, *, shifted: bool = False) -> float:
    """Returns the largest modulus of a root: the factor per step by which the distance to the minimum finally grows."""
    polynomial = characteristic_polynomial(step, delay, momentum, shifted=shifted)
    return float(np.abs(np.roots(polynomial)).max())


def _pair(momentum: Momentum | float, shifted: bool) -> tuple[float, bool]:
    """Returns m and whether the velocity is delayed. Raises ValueError if m is outside [0, 1)."""
    if isinstance(momentum, Momentum):
        if shifted and not momentum.shifted:
            raise ValueError("shifted must be set in the Momentum that is given: Momentum(m, shifted=True)")
        return momentum.value, momentum.shifted
    check_momentum(momentum)
    return momentum, shifted


def check_delay(delay: int) -> None:
    """Raises ValueError unless the delay is an integer between 0 and `LARGEST_DELAY`."""
    if not isinstance(delay, int | np.integer) or isinstance(delay, bool) or delay < 0:
        raise ValueError(f"delay must be an integer ≥ 0 (optimizer steps), not {delay!r}")
    if delay > LARGEST_DELAY:
        raise ValueError("delay must be at most 1e15 (optimizer steps)")


def check_positive(name: str, value: float) -> None:
    """Raises ValueError, with the quantity's name, unless it is a finite number above 0."""
    if not isinstance(value, Real) or not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be a finite number above 0, not {value!r}")
