"""Bounds of a filter on a whole interval of angles: a disc that holds all values there.

A term c w^j turns by j r at most within the distance r of an interval's middle. Terms that turn by less than a radian
are evaluated in the middle; of the others only their modulus |c| is used, so that wide intervals cost little.
"""

import math
from dataclasses import dataclass

import numpy as np

from tautune.trainables.theory.lag_polynomial import Complexes, LagPolynomial, Reals

TRANSFORM = 2
"""Terms that a sum takes at each angle in the time in which a transform has one angle more."""


@dataclass(frozen=True, eq=False)
class Discs:
    """For each interval [I] a disc that holds every value of a function there."""

    center: Complexes
    radius: Reals

    def times(self, other: "Discs") -> "Discs":
        """Returns discs of the products."""
        radius = np.abs(self.center) * other.radius + (np.abs(other.center) + other.radius) * self.radius
        return Discs(self.center * other.center, radius)

    def plus(self, other: "Discs") -> "Discs":
        """Returns discs of the sums."""
        return Discs(self.center + other.center, self.radius + other.radius)

    def conjugate(self) -> "Discs":
        """Returns discs of the conjugate values."""
        return Discs(self.center.conj(), self.radius)

    @property
    def largest(self) -> Reals:
        """An upper bound of the moduli [I]."""
        return np.abs(self.center) + self.radius

    @property
    def smallest(self) -> Reals:
        """A lower bound of the moduli [I]."""
        bound: Reals = np.maximum(np.abs(self.center) - self.radius, 0.0)
        return bound


def values(p: LagPolynomial, θ: Reals, r: float) -> Discs:
    """Returns discs of p(exp(-iθ)) within r of each angle θ [I]."""
    slow = p.lags * r < 1
    if slow.all():
        near, turning = p, 0.0
    else:
        near = LagPolynomial(p.lags[slow], p.coefficients[slow])
        turning = float(np.abs(p.coefficients[~slow]).sum())
    radius = turning + r * float(np.abs(near.lags * near.coefficients).sum())
    return Discs(_at_middles(near, θ, r), np.full(len(θ), radius))


def slopes(p: LagPolynomial, θ: Reals, r: float) -> Discs:
    """Returns discs of the derivatives of p(exp(-iθ)) by θ, within r of each angle."""
    radius = r * float(np.abs(p.lags**2 * p.coefficients).sum())
    slope = LagPolynomial(p.lags, p.lags * p.coefficients)
    return Discs(-1j * _at_middles(slope, θ, r), np.full(len(θ), radius))


def _at_middles(p: LagPolynomial, θ: Reals, r: float) -> Complexes:
    """Returns p(exp(-iθ)) at odd multiples θ of r: where they and the terms are many, by a Fourier transform of all."""
    size = round(math.pi / r)
    if len(θ) * len(p.lags) < TRANSFORM * size or (p.lags % 1).any():
        return p.on_circle(θ)
    coefficients, folded = p.coefficients * np.exp(-1j * r * p.lags), np.zeros(size, dtype=complex)
    np.add.at(folded, p.lags.astype(int) % size, coefficients)
    values: Complexes = np.fft.fft(folded)[np.rint((θ / r - 1) / 2).astype(int)]
    return values
