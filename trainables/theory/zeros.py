"""Zeros of a function in many brackets at once, and of a polynomial beside many points."""

from collections.abc import Callable

import numpy as np

from tautune.trainables.theory.lag_polynomial import Complexes, LagPolynomial, Reals

NEWTON_STEPS = 30


def zeros(
    f: Callable[[Reals], Reals], low: Reals, high: Reals, *, precision: float = 4e-16, iterations: int = 100
) -> Reals:
    """Returns a zero of f [I] in each bracket, at whose ends f has different signs, to a relative precision.

    Regula falsi after Anderson and Björck: it converges almost as fast as Newton, and keeps its bracket.
    """
    a, b, f_a, f_b = low, high, f(low), f(high)
    found = np.where(f_a == 0, a, b)
    open_ = (f_a != 0) & (f_b != 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(iterations):
            c = b - f_b * (b - a) / (f_b - f_a)
            open_ &= ~(np.abs(c - b) <= precision * np.abs(b))  # b is the zero, to the last digits
            if not open_.any():
                break
            inside = (c > np.minimum(a, b)) & (c < np.maximum(a, b))
            c = np.where(inside, c, (a + b) / 2)
            f_c = f(c)
            found = np.where(open_, c, found)
            open_ &= (f_c != 0) & (np.abs(c - a) > precision * np.abs(c))
            share = 1 - f_c / f_b
            same = (f_c > 0) == (f_b > 0)
            f_a = np.where(same, f_a * np.where(share > 0, share, 0.5), f_b)
            a = np.where(same, a, b)
            b, f_b = c, f_c
    return found


def newton(polynomial: LagPolynomial, start: Complexes) -> Complexes:
    """Returns the zeros to which Newton's method comes from each w; a step that makes things no better is not made."""
    w, moving = start.astype(complex), np.arange(len(start))
    value, slope = polynomial.with_slope_at(w)
    for _ in range(NEWTON_STEPS):
        with np.errstate(all="ignore"):  # where the slope is 0
            nearer = w[moving] - value / slope
            smaller, slope = polynomial.with_slope_at(nearer)
        better = np.abs(smaller) < np.abs(value)
        moving, value, slope = moving[better], smaller[better], slope[better]
        if not len(moving):
            break
        w[moving] = nearer[better]
    return w
