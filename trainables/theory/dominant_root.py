"""The dominant root of a loop at a given step aη: what a displacement is multiplied by at each step, in the end."""

import math

import numpy as np

from tautune.trainables.theory.circle import Characteristic
from tautune.trainables.theory.lag_polynomial import Complexes, LagPolynomial

COMPANION_DEGREE = 40
"""Largest degree whose roots are those of a companion matrix: above it, circles are faster."""
CANDIDATES = 16
"""Points of a circle beside the dominant root from which Newton's method starts."""
ANNULUS = 1e-3
"""Width of the annulus that holds the dominant root, relative to 1/degree, from which Newton's method takes over."""
ROUNDING = 1e-10
"""Size of the polynomial, relative to its coefficients, that is zero."""
NEWTON_STEPS = 50


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
    z = 1 / complex(_newton(polynomial, np.array([w]))[0])
    return complex(z.real, abs(z.imag))


def _smallest_zero(characteristic: Characteristic, polynomial: LagPolynomial, step: float) -> complex:
    lags, moduli = polynomial.lags[1:], np.abs(polynomial.coefficients[1:])
    low = -math.log(2) - float((np.log(moduli) / lags).max())  # Fujiwara's bound: no zero below it
    high = -math.log(moduli[-1]) / lags[-1]  # the zeros' moduli multiply to 1/|c_n|
    width = ANNULUS / polynomial.degree
    while high - low > width:
        middle = (low + high) / 2
        if characteristic.circle(math.exp(middle)).inside(step):
            high = middle
        else:
            low = middle
    start = characteristic.circle(math.exp(high)).nearest_zeros(step, CANDIDATES)
    polished = _newton(polynomial, start)
    found = np.abs(np.log(np.abs(polished)) - (low + high) / 2) <= width
    found &= np.abs(polynomial.at(polished)) <= ROUNDING * float(np.abs(polynomial.coefficients).sum())
    return complex(polished[found][np.abs(polished[found]).argmin()] if found.any() else start[0])


def _newton(polynomial: LagPolynomial, w: Complexes) -> Complexes:
    """Returns the zeros to which Newton's method comes from each w; a step that makes things no better is not made."""
    size = np.abs(polynomial.at(w))
    for _ in range(NEWTON_STEPS):
        with np.errstate(all="ignore"):  # where the slope is 0
            nearer = w - polynomial.at(w) / polynomial.slope_at(w)
            smaller = np.abs(polynomial.at(nearer))
        better = smaller < size
        if not better.any():
            break
        w, size = np.where(better, nearer, w), np.where(better, smaller, size)
    return w
