"""The mean-square threshold: up to which step E x² stays bounded, where curvature or delay vary from step to step.

The gradient of step t is a_t y, with the curvature a_t of its mini-batch (mean a, variance r a²) at the weights y that
it was computed at. What differs from the mean is white noise, whose size is that of x itself. With x the response of
the mean loop to unit noise, k = aη, and A_d what becomes of a gradient of delay d (`remedies.py`),

    (1+r) Σ_d p_d ‖A_d x‖² - ‖D x‖² < 1,     x = k w N / ((1-w) Q + k w N D),

is the condition; for one delay it is r ‖D x‖² < 1, the H₂ norm of the closed loop. Delays of a pipeline's stages do not
vary, and add no noise. The norms are mean values over the unit circle, on twice as many points until nothing changes,
after what the poles beside the circle add to them is taken out.

Typical growth (the Lyapunov exponent along one run) has a larger threshold, which is another one again.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from tautune.trainables.theory.lag_polynomial import Complexes, LagPolynomial, Reals
from tautune.trainables.theory.open_loop import OpenLoop
from tautune.trainables.theory.remedies import LateGradients
from tautune.trainables.theory.zeros import newton, zeros

POINTS = 8
"""Points of the circle for each step of the degree, at least."""
FEWEST_POINTS = 64
MOST_POINTS = 2**22
MOST_POLES = 128
"""Of those that are looked for: that beside the peak to begin with, and four times as many on twice as many points."""
QUADRATURE_PRECISION = 1e-10
"""Of the mean over half of the points: that over all of them is far closer, since the error is about squared."""
SAMPLES = 16
"""Steps for each threshold, and at least so many for the inverse degree, among which the first too large one is sought.
Small ones are twice as large as the one before."""
LINEAR = 1e-7
"""aη times the degree below which the variance that comes back is proportional to aη."""
PRECISION = 1e-13
REAL = 1e-9
"""Sine of the angle below which a pole is a real one."""
NEAR = 1e-5
"""Distance of a pole from the circle, times the degree, below which it is all that counts."""
ROUNDING = 1e-10
"""Size of the polynomial, relative to its coefficients, that is zero."""


def mean_square_threshold(loop: OpenLoop, late: LateGradients, noise: float, threshold: float) -> float:
    """Returns the smallest aη at which E x² is unbounded.

    Args:
        noise: r = s²/a² ≥ 0, the variance of the curvature over its mean's square.
        threshold: the loop's threshold in the mean; the result is at most that.
    """
    if not 0 <= noise < math.inf:
        raise ValueError(f"curvature noise must be at least 0 and finite, not {noise!r}")
    weights = _noise_weights(late, noise)
    if not weights.any():
        return threshold
    spectrum = Spectrum(loop, weights)

    def excess(step: float) -> float:
        """Returns 1 minus the inverse of the noise that comes back: above 0 where E x² is unbounded."""
        return 1 - 1 / max(spectrum.returned(step), 1e-300) if step < threshold else 1.0

    largest = threshold if math.isfinite(threshold) else 1.0
    while math.isinf(threshold) and excess(largest) < 0:
        largest *= 2
    low, high = 0.0, min(1 / loop.degree, largest) / SAMPLES
    while high < largest and excess(high) < 0:
        low, high = high, min(2 * high, high + largest / SAMPLES, largest)
    while not low:  # the curvature varies so much that the first of the samples is too large
        if high * loop.degree < LINEAR:
            return high / spectrum.returned(high)
        low, high = (high / 2, high) if excess(high / 2) < 0 else (0.0, high / 2)
    return float(zeros(np.vectorize(excess, otypes=[float]), np.array([low]), np.array([high]), precision=PRECISION)[0])


def _noise_weights(late: LateGradients, noise: float) -> Reals:
    """Returns the q_j of (1+r) Σ_d p_d |A_d|² - |D|² = Σ_j q_j cos(jθ); r |D|² where delays do not vary."""
    D = late.mean()
    in_mean = _squared(D.dense(int(D.degree) + 1))
    if not late.delays.drawn:
        return noise * in_mean
    d, p, c = np.array(late.delays.steps), np.array(late.delays.shares), late.compensated
    e, f = (1 - c) * (1 + late.horizons), -(1 - c) * late.horizons  # A_d = c + e w^d + f w^(d+1)
    each = np.zeros(max(len(in_mean), d.max() + 2))
    each[0] += c**2 + float((p * (e**2 + f**2)).sum())
    each[1] += 2 * float((p * e * f).sum())
    np.add.at(each, d, 2 * c * p * e)
    np.add.at(each, d + 1, 2 * c * p * f)
    total = (1 + noise) * each
    total[: len(in_mean)] -= in_mean
    return total


def _squared(coefficients: Reals) -> Reals:
    """Returns the q_j of |p|² = Σ_j q_j cos(jθ) on the unit circle."""
    size = 2 * len(coefficients)
    products = np.fft.irfft(np.abs(np.fft.rfft(coefficients, size)) ** 2, size)[: len(coefficients)]
    return np.concatenate([products[:1], 2 * products[1:]])


class Spectrum:
    """What unit noise brings about: the mean over the unit circle of its spectrum g = |N|² W / |A + aη B|².

    On M equidistant points the mean is off by -2 Σ Res(g/w, p) / (p^M - 1) over the poles p outside of the circle
    (Trefethen & Weideman, SIAM Review 56, 2014, section 2). The one beside the spectrum's peak, which comes close to
    the circle where a step is small or near the threshold, is taken out by that; for the others few points will do.
    """

    def __init__(self, loop: OpenLoop, weights: Reals) -> None:
        self._still, self._driven = loop.characteristic()
        self._numerator, self._weights = loop.optimizer.numerator, LagPolynomial(np.arange(len(weights)), weights)
        self._degree = loop.degree
        self._first = max(FEWEST_POINTS, 1 << int(POINTS * loop.degree).bit_length())
        self._on_circle = cache(self._on_points)

    def returned(self, step: float) -> float:
        """Returns the variance at aη = step, which has to be below the threshold."""
        polynomial, size, count = self._still.plus(self._driven, step), self._first, 1
        while True:
            A, B, noise = self._on_circle(size)
            g = noise / np.abs(A + step * B) ** 2
            poles = self._poles(polynomial, np.exp(-2j * math.pi * _peaks(g)[:count] / size))
            nearest = self._degree * poles.log.real.min(initial=math.inf)
            if nearest < NEAR and count > 1:  # the poles are all that counts
                return step**2 * poles.in_mean if nearest > 0 else math.inf
            half, mean = _mean(g[::2]) + poles.missed(size // 2), _mean(g) + poles.missed(size)
            settled = abs(mean - half) <= QUADRATURE_PRECISION * max(1, 1 / nearest) * mean
            if nearest >= NEAR and settled or size >= MOST_POINTS:
                return step**2 * mean
            size, count = 2 * size, min(4 * count, MOST_POLES)

    def _on_points(self, size: int) -> tuple[Complexes, Complexes, Reals]:
        A, B, N = (np.fft.rfft(p.dense(int(p.degree) + 1), size) for p in (self._still, self._driven, self._numerator))
        return A, B, np.abs(N) ** 2 * np.fft.rfft(self._weights.coefficients, size).real

    def _poles(self, polynomial: LagPolynomial, start: Complexes) -> "Poles":
        """Returns the poles to which Newton's method comes from points of the circle, each once."""
        p = newton(polynomial, start)
        p = p[np.abs(polynomial.at(p)) <= ROUNDING * np.abs(polynomial.coefficients).sum()]
        p = p.real - 1j * np.abs(p.imag)
        _, once = np.unique(np.round(np.log(p) * self._degree, 6), return_index=True)
        p = p[once]
        q = 1 / p
        N, W = self._numerator.at(p) * self._numerator.at(q), (self._weights.at(p) + self._weights.at(q)) / 2
        return Poles(np.log(p), N * W / (p * polynomial.with_slope_at(p)[1] * polynomial.at(q)))


class Poles(NamedTuple):
    """Poles p [poles] of g outside of the circle, each with its conjugate."""

    log: Complexes
    """log p."""
    residue: Complexes
    """Res(g/w, p)."""

    @property
    def in_mean(self) -> float:
        """What they add to the mean of g."""
        return -float((self._both * self.residue).real.sum())

    def missed(self, points: int) -> float:
        """Returns what the mean over so many points of the circle lacks of it."""
        x = -points * self.log
        return 2 * float((self._both * self.residue * np.exp(x) / -np.expm1(x)).real.sum())

    @property
    def _both(self) -> Reals:
        return np.where(np.abs(np.sin(self.log.imag)) < REAL, 1, 2)


def _peaks(g: Reals) -> Reals:
    """Returns the places of the tops of values on half of the circle, the highest first."""
    tops = np.flatnonzero((g >= np.append(g[1], g[:-1])) & (g >= np.append(g[1:], g[-2])))
    return tops[np.argsort(-g[tops])]


def _mean(g: Reals) -> float:
    """Returns the mean over the circle of values on its upper half."""
    return float(2 * g.sum() - g[0] - g[-1]) / (2 * len(g) - 2)
