"""The mean-square threshold beside its table, and beside the exact recursion of the second moments."""

from typing import Any

import numpy as np
import pytest

from tautune.trainables.theory import mean_square
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


@pytest.mark.parametrize("recursion", [0, 300], ids=["quadrature", "recursion"])
@pytest.mark.parametrize(("shares", "noise", "m", "T", "c"), CASES)
def test_second_moments_neither_grow_nor_shrink_there(
    shares: dict[int, float], noise: float, m: float, T: float, c: float, recursion: int, monkeypatch: Any
) -> None:
    monkeypatch.setattr(mean_square, "RECURSION_DEGREE", recursion)
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
