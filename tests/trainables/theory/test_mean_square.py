"""The mean-square threshold beside its table, and beside the exact recursion of the second moments."""

import math
from typing import Any

import numpy as np
import pytest

from tautune.trainables.theory.lag_polynomial import LagPolynomial, Reals
from tautune.trainables.theory.loop import TrainingLoop

TABLE = {  # τ: at r = 0.1, 1, 4
    0: (2 / 1.1, 1.0, 0.4),
    1: ((-1 + (1 + 8 / 1.1) ** 0.5) / 2, (-1 + 5**0.5) / 2, (-1 + 2.6**0.5) / 2),
    4: (0.33975, 0.28463, 0.18816),
}


@pytest.mark.parametrize("delay", TABLE)
def test_published_table(delay: int) -> None:
    for noise, published in zip((0.1, 1, 4), TABLE[delay], strict=True):
        assert TrainingLoop(delay=delay).mean_square_threshold(noise) == pytest.approx(published, abs=5e-6)


def second_moments(shares: dict[int, float], step: float, noise: float, m: float, T: float, c: float) -> float:
    """Returns the largest eigenvalue of E[M ⊗ M], where M is the random matrix of one step of (x[t], x[t-1], …)."""
    size = max(shares) + 3
    expected = np.zeros((size**2, size**2))
    for d, p in shares.items():
        for curvature in (1 - noise**0.5, 1 + noise**0.5):  # mean 1, variance r
            gradient = np.zeros(size)
            gradient[d] += (1 - c) * (1 + T)
            gradient[d + 1] -= (1 - c) * T
            gradient[0] += c
            M = np.eye(size, k=-1)
            M[0, 0], M[0, 1] = 1 + m, -m
            M[0] -= step * (1 - m) * curvature * gradient
            expected += p / 2 * np.kron(M, M)
    return float(np.abs(np.linalg.eigvals(expected)).max())


CASES: list[tuple[Any, float, float, float, float]] = [  # delays, r, m, T, c
    ({0: 0.5, 3: 0.5}, 0.0, 0.0, 0.0, 0.0),
    ({0: 0.2, 1: 0.3, 3: 0.5}, 0.5, 0.9, 0.0, 0.0),
    ({1: 0.3, 3: 0.7}, 0.3, 0.5, 2.0, 0.0),
    ({0: 0.3, 2: 0.7}, 0.2, 0.0, 0.0, 0.4),
    ({1: 0.6, 2: 0.4}, 0.2, 0.5, 1.0, 0.3),
    ({2: 1.0}, 0.7, 0.9, 2.0, 0.0),
]


@pytest.mark.parametrize(("shares", "noise", "m", "T", "c"), CASES)
def test_second_moments_neither_grow_nor_shrink_there(
    shares: dict[int, float], noise: float, m: float, T: float, c: float
) -> None:
    loop = TrainingLoop("dampened-momentum", shares, [f"predict:{T}", f"compensate:{c}"], momentum=m)
    step = loop.mean_square_threshold(noise)
    assert second_moments(shares, step, noise, m, T, c) == pytest.approx(1, abs=1e-9)
    assert step < loop.threshold


def test_without_noise_a_loop_whose_delays_do_not_vary_keeps_its_threshold() -> None:
    loop = TrainingLoop("adam", 5)
    assert loop.mean_square_threshold(0) == loop.threshold
    assert loop.mean_square_threshold(1e-7) == pytest.approx(loop.threshold, rel=1e-6)


def test_broad_random_delays_are_stable_in_the_mean_and_not_in_the_square() -> None:
    geometric = {d: 0.1 * 0.9**d for d in range(200)}
    total = sum(geometric.values())
    loop = TrainingLoop(delay={d: p / total for d, p in geometric.items()})
    assert loop.threshold > 3 * loop.mean_square_threshold()


@pytest.mark.parametrize("noise", [1e9, 1e100])
def test_without_bounds_to_the_noise_the_threshold_is_two_over_it(noise: float) -> None:
    assert TrainingLoop("sgd", 5).mean_square_threshold(noise) == pytest.approx(2 / noise, rel=1e-6)


def autocovariance(polynomial: LagPolynomial, lags: int) -> Reals:
    """Returns γ_0 … γ_(lags-1) of the autoregression a(w) x = unit noise, a(0) = 1, which is stable."""
    n = int(polynomial.degree)
    a, reflections = polynomial.dense(n + 1), np.zeros(n + 1)
    for m in range(n, 0, -1):  # Levinson, down: the predictors of fewer and fewer steps
        κ = reflections[m] = a[m]
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


def returned(loop: TrainingLoop, noise: float, step: float) -> float:
    """Returns the variance that unit noise brings about, as an exact sum over autocovariances: slow at long delays."""
    shares, late = dict(zip(loop.delay.steps, loop.delay.shares, strict=True)), loop._late
    longest = loop.delay.maximum + 2
    responses = {d: np.zeros(longest) for d in shares}
    for (d, A), T in zip(responses.items(), late.horizons, strict=True):
        A[0] += late.compensated
        A[d] += (1 - late.compensated) * (1 + T)
        A[d + 1] -= (1 - late.compensated) * T
    mean = sum(p * responses[d] for d, p in shares.items())
    N = loop._filter.numerator.dense(int(loop._filter.numerator.degree) + 1)
    still, driven = loop._open.characteristic()
    γ = autocovariance(still.plus(driven, step), longest + len(N))

    def power(A: Reals) -> float:
        squares = np.correlate(np.convolve(N, A), np.convolve(N, A), "full")[longest + len(N) - 2 :]
        return float(squares[0] * γ[0] + 2 * squares[1:] @ γ[1 : len(squares)])

    each = sum(p * power(responses[d]) for d, p in shares.items())
    return float(step**2 * ((1 + noise) * each - power(np.asarray(mean))))


LATE: dict[str, dict[int, float]] = {
    "uniform": {d: 1 / 120 for d in range(120)},
    "geometric, a long tail": {d: 0.03 * 0.97**d / (1 - 0.97**300) for d in range(300)},
    "two ages": {0: 0.5, 300: 0.5},
    "two of them rare": {0: 1 - 2e-12, 5: 1e-12, 200: 1e-12},
    "periodic": {d: 1 / 20 for d in range(0, 140, 7)},
}


@pytest.mark.parametrize("delay", LATE)
@pytest.mark.parametrize("remedies", [(), ("predict:9",), ("compensate:0.5",)], ids=str)
def test_as_much_noise_comes_back_as_there_was(delay: str, remedies: tuple[str, ...]) -> None:
    for optimizer in ("sgd", "adam", "nesterov"):
        for noise in (0.0, 0.3):
            loop = TrainingLoop(optimizer, LATE[delay], remedies)
            step = loop.mean_square_threshold(noise)
            near = 1 - step / loop.threshold  # to which share of the step the variance is determined
            assert returned(loop, noise, step) == pytest.approx(1, abs=1e-8 + 1e-9 / max(near, 1e-9))
            assert returned(loop, noise, 0.7 * step) < 1
