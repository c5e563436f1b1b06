"""The mean-square threshold: up to which step E x² stays bounded, where curvature or delay vary from step to step.

The gradient of step t is a_t y, with the curvature a_t of its mini-batch (mean a, variance r a²) at the weights y that
it was computed at. What differs from the mean is white noise, whose size is that of x itself. With x the response of
the mean loop to unit noise, k = aη, and A_d what becomes of a gradient of delay d (`remedies.py`),

    (1+r) Σ_d p_d ‖A_d x‖² - ‖D x‖² < 1,     x = k w N / ((1-w) Q + k w N D),

is the condition; for one delay it is r ‖D x‖² < 1, the H₂ norm of the closed loop. Delays of a pipeline's stages do not
vary, and add no noise. The norms are exact: they are sums over the autocovariance of the denominator's autoregression,
by the Levinson recursion, down and up. For long delays they are mean values over the unit circle, on twice as many
points until nothing changes.

Typical growth (the Lyapunov exponent along one run) has a larger threshold, which is another one again.
"""

import math
from functools import cache, partial

import numpy as np

from tautune.trainables.theory.lag_polynomial import Complexes, LagPolynomial, Reals
from tautune.trainables.theory.open_loop import OpenLoop
from tautune.trainables.theory.remedies import LateGradients
from tautune.trainables.theory.zeros import zeros

RECURSION_DEGREE = 300
"""Largest degree in steps whose norms are exact sums: their time grows with its square."""
QUADRATURE_PRECISION = 1e-10
MOST_POINTS = 2**22
"""Of the circle: they are too few where a step is within about a hundred-thousandth of the threshold."""
SAMPLES = 16
"""Steps, as shares of the threshold, among which the first one that is too large is looked for."""


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

    exact = loop.degree <= RECURSION_DEGREE
    noise_of = partial(_returned, loop, weights) if exact else Spectrum(loop, weights).returned

    def excess(steps: Reals) -> Reals:
        """Returns 1 minus the inverse of the noise that comes back: above 0 where E x² is unbounded."""
        returned = [noise_of(step) for step in steps.tolist()]
        return np.array([1 - 1 / max(noise, 1e-300) for noise in returned])

    largest = threshold if math.isfinite(threshold) else 1.0
    while math.isinf(threshold) and excess(np.array([largest]))[0] < 0:
        largest *= 2
    shares = largest * np.arange(1, SAMPLES) / SAMPLES
    low = 0.0
    for share in shares:
        if excess(np.array([share]))[0] >= 0:
            break
        low = float(share)
    high = low + largest / SAMPLES
    return float(zeros(excess, np.array([low or high * 1e-9]), np.array([high]))[0])


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


def _returned(loop: OpenLoop, weights: Reals, step: float) -> float:
    """Returns the variance of the noise that unit noise brings about; infinite where the mean is unstable."""
    still, driven = loop.characteristic()
    polynomial = still.plus(driven, step)
    N = loop.optimizer.numerator
    s = _squared(N.dense(int(N.degree) + 1))
    γ = autocovariance(polynomial, len(weights) + len(s))
    if γ is None:
        return math.inf
    j = np.arange(len(weights))
    sums = [s_i * float(weights @ (γ[j + i] + γ[np.abs(j - i)])) / 2 for i, s_i in enumerate(s.tolist())]
    return step**2 * math.fsum(sums)


class Spectrum:
    """What unit noise brings about, by the mean of its spectrum over the unit circle: for long delays."""

    def __init__(self, loop: OpenLoop, weights: Reals) -> None:
        self._still, self._driven = loop.characteristic()
        self._numerator, self._weights = loop.optimizer.numerator, weights
        self._first = 1 << (16 * int(loop.degree)).bit_length()
        self._on_circle = cache(self._on_points)

    def returned(self, step: float) -> float:
        """Returns the variance at aη = step, which has to be below the threshold."""
        before, size = math.inf, self._first
        while size <= MOST_POINTS:
            A, B, noise = self._on_circle(size)
            spectrum = noise / np.abs(A + step * B) ** 2
            mean = step**2 * float(2 * spectrum.sum() - spectrum[0] - spectrum[-1]) / size
            if abs(mean - before) <= QUADRATURE_PRECISION * abs(mean):
                break
            before, size = mean, 2 * size
        return mean

    def _on_points(self, size: int) -> tuple[Complexes, Complexes, Reals]:
        A, B, N = (np.fft.rfft(p.dense(int(p.degree) + 1), size) for p in (self._still, self._driven, self._numerator))
        return A, B, np.abs(N) ** 2 * np.fft.rfft(self._weights, size).real


def autocovariance(polynomial: LagPolynomial, lags: int) -> Reals | None:
    """Returns γ_0 … γ_(lags-1) of the autoregression a(w) x = unit noise, a(0) = 1; None if it is unstable."""
    n = int(polynomial.degree)
    a, reflections = polynomial.dense(n + 1), np.zeros(n + 1)
    for m in range(n, 0, -1):  # Levinson, down: the predictors of fewer and fewer steps
        κ = reflections[m] = a[m]
        if not abs(κ) < 1:
            return None
        a = (a[:m] - κ * a[m:0:-1]) / (1 - κ**2)
    γ = np.zeros(max(lags, n + 1))
    error = γ[0] = math.exp(-np.log1p(-(reflections**2)).sum())
    a = np.ones(1)
    for m in range(1, n + 1):  # and up
        γ[m] = -reflections[m] * error - a[1:] @ γ[m - 1 : 0 : -1]
        extended = np.append(a, 0.0)
        a = extended + reflections[m] * extended[::-1]
        error *= 1 - reflections[m] ** 2
    for m in range(n + 1, lags):
        γ[m] = -a[1:] @ γ[m - 1 : m - n - 1 : -1]
    return γ
