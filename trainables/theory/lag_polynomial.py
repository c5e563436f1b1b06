"""Polynomials in the lag w = 1/z with few terms: the delays and the filters of a training loop.

w delays a signal by one step, so w^τ is a gradient that comes τ steps late, and 1 - w is a change from step to step.
On the unit circle w = exp(-iθ). Only the terms are kept, so the cost does not depend on how late they are.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[Any]
"""An array of real numbers."""
Complexes = NDArray[Any]
"""An array of complex numbers."""


@dataclass(frozen=True, eq=False)
class LagPolynomial:
    """Σ c_j w^j. Shapes: [J] for its terms; a value at angles [I] has their shape."""

    lags: Reals
    """The powers j ≥ 0 [J], each once, ascending. They are whole, unless delays were stretched."""
    coefficients: Reals
    """c_j [J]."""

    @classmethod
    def of(cls, *coefficients: float) -> "LagPolynomial":
        """Returns the polynomial with these coefficients of 1, w, w² and so on."""
        return cls.from_terms(enumerate(coefficients))

    @classmethod
    def from_terms(cls, terms: Iterable[tuple[float, float]]) -> "LagPolynomial":
        """Returns the sum of the terms (j, c_j), of which several may have the same power."""
        pairs = np.array(list(terms), dtype=float).reshape(-1, 2)
        return cls.summed(pairs[:, 0], pairs[:, 1])

    @classmethod
    def summed(cls, lags: Reals, coefficients: Reals) -> "LagPolynomial":
        """Returns the sum of the terms c_j w^j [J], of which several may have the same power."""
        powers, where = np.unique(lags, return_inverse=True)
        sums = np.bincount(where, weights=coefficients, minlength=len(powers))
        kept = sums != 0
        return cls(powers[kept], sums[kept])

    @cached_property
    def at_rest(self) -> float:
        """The value at w = 1: what the polynomial makes of a constant."""
        return math.fsum(self.coefficients)

    @cached_property
    def degree(self) -> float:
        """The largest power; 0 for the zero polynomial."""
        return float(self.lags[-1]) if len(self.lags) else 0.0

    def times(self, other: "LagPolynomial") -> "LagPolynomial":
        """Returns the product."""
        lags = np.add.outer(self.lags, other.lags).ravel()
        return LagPolynomial.summed(lags, np.multiply.outer(self.coefficients, other.coefficients).ravel())

    def plus(self, other: "LagPolynomial", factor: float = 1.0) -> "LagPolynomial":
        """Returns this polynomial plus `factor` times the other one."""
        coefficients = np.concatenate([self.coefficients, factor * other.coefficients])
        return LagPolynomial.summed(np.concatenate([self.lags, other.lags]), coefficients)

    def later(self, steps: float) -> "LagPolynomial":
        """Returns w^steps times this polynomial."""
        return LagPolynomial(self.lags + steps, self.coefficients)

    def on_circle(self, θ: Reals) -> Complexes:
        """Returns the values at w = exp(-iθ).

        They are p(1) - Σ c_j (1 - w^j), so that no digits are lost where a filter nearly vanishes at rest.
        """
        phases = np.multiply.outer(θ, self.lags)
        real = self.at_rest - 2 * (np.sin(phases / 2) ** 2 @ self.coefficients)
        return real - 1j * (np.sin(phases) @ self.coefficients)

    def at(self, w: Complexes) -> Complexes:
        """Returns the values at any w ≠ 0."""
        return np.exp(np.multiply.outer(np.log(w + 0j), self.lags)) @ self.coefficients

    def with_slope_at(self, w: Complexes) -> tuple[Complexes, Complexes]:
        """Returns the values and the derivatives by w at any w ≠ 0, in little more time than the values alone."""
        powers = np.exp(np.multiply.outer(np.log(w + 0j), self.lags))
        return powers @ self.coefficients, powers @ (self.lags * self.coefficients) / w

    def dense(self, size: int) -> Reals:
        """Returns the coefficients of w⁰ … w^(size-1)."""
        coefficients = np.zeros(size)
        coefficients[self.lags.astype(int)] = self.coefficients
        return coefficients


ONE = LagPolynomial.of(1.0)
CHANGE = LagPolynomial.of(1.0, -1.0)
"""1 - w: the difference between a step and the one before."""
