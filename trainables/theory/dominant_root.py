"""The dominant root of a loop at a given step aη: what a displacement is multiplied by at each step, in the end."""

import math

import numpy as np

from tautune.trainables.theory.circle import Characteristic
from tautune.trainables.theory.lag_polynomial import Complexes, LagPolynomial
from tautune.trainables.theory.zeros import newton

COMPANION_DEGREE = 40
"""Largest degree whose roots are those of a companion matrix: above it, circles are faster."""
CANDIDATES = 4
"""Points of a circle beside the dominant root from which Newton's method starts."""
ANNULUS = 1e-3
"""Width of the annulus that holds the dominant root, relative to 1/degree, from which Newton's method takes over."""
ROUNDING = 1e-10
"""Size of the polynomial, relative to its coefficients, that is zero."""


def dominant_root(characteristic: Characteristic, step: float) -> complex:
    """Returns the root z of largest modulus at aη = step, with an imaginary part ≥ 0.

    Small polynomials have their roots from a companion matrix. Of larger ones the annulus of the root is bracketed by
    the argument principle, and the root is polished by Newton's method. A double root is exact to about 1e-8.
    """
    polynomial = characteristic.at(step)
    if polynomial.degree <= COMPANION_DEGREE:
        roots = np.roots(polynomial.dense(int(polynomial.degree) + 1))
        if not len(roots) or not roots.any():
            return 0j
        w = 1 / roots[np.abs(roots).argmax()]
    else:
        w = _smallest_zero(characteristic, polynomial, step)
    z = 1 / complex(newton(polynomial, np.array([w]))[0])
    return complex(z.real, abs(z.imag))


def _smallest_zero(characteristic: Characteristic, polynomial: LagPolynomial, step: float) -> complex:
    lags, moduli = polynomial.lags[1:], np.abs(polynomial.coefficients[1:])
    low = -math.log(2) - float((np.log(moduli) / lags).max())  # Fujiwara's bound: no zero below it
    high = -math.log(moduli[-1]) / lags[-1]  # the zeros' moduli multiply to 1/|c_n|
    width, zero = ANNULUS / polynomial.degree, math.inf + 0j
    middle = min(max(low, 0.0), high)  # most loops have their smallest zero beside the unit circle
    while high - low > width:
        circle = characteristic.circle(math.exp(middle))
        low, high = (low, middle) if circle.inside(step) else (middle, high)
        found = _beside(polynomial, circle.nearest_zeros(step, CANDIDATES))
        if math.log(abs(found)) < high + width:
            zero, high = found, min(high, math.log(abs(found)))
            middle = high - width / 2  # if there is no zero within, it is the smallest
        if not low < middle < high:
            middle = (low + high) / 2
    if math.log(abs(zero)) > high + width:
        zero = complex(characteristic.circle(math.exp(high)).nearest_zeros(step, 1)[0])
    return zero


def _beside(polynomial: LagPolynomial, start: Complexes) -> complex:
    """Returns the smallest of the zeros to which Newton's method comes, or infinity if it comes to none."""
    w = newton(polynomial, start)
    w = w[np.abs(polynomial.at(w)) <= ROUNDING * float(np.abs(polynomial.coefficients).sum())]
    return complex(w[np.abs(w).argmin()]) if len(w) else math.inf + 0j
