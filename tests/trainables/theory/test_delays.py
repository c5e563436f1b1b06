import re
from typing import Any

import numpy as np
import pytest

from tautune.trainables.delay.schedules import RandomDelay, RecordedDelay
from tautune.trainables.theory.delays import Delays, as_delays
from tautune.trainables.theory.loop import TrainingLoop
from tautune.trainables.theory.remedies import Prediction


def test_the_delays_of_a_gradient_queue_are_taken_as_they_are() -> None:
    assert as_delays(RandomDelay(probabilities=(0.5, 0, 0.5))) == as_delays({0: 0.5, 2: 0.5})
    assert (
        as_delays(RecordedDelay((1, 3, 3, 1))) == as_delays([1, 3, 3, 1]) == Delays.recorded(np.array([1.0, 3, 3, 1]))
    )
    assert as_delays(RecordedDelay((4,))) == as_delays(4) == as_delays({4: 1.0}) == Delays.stages([4, 4])


def test_delays_are_described() -> None:
    assert str(as_delays(8)) == "8"
    assert str(as_delays([0, 0, 9])) == "0 to 9, 3 on average"


def test_stages_do_not_vary_and_random_delays_do() -> None:
    assert as_delays({0: 0.5, 2: 0.5}).drawn
    assert not Delays.stages([0, 2]).drawn


@pytest.mark.parametrize(
    ("delay", "said"),
    [
        ([1, -1], "entry 2 of the recorded delays: delay must be an integer ≥ 0 (optimizer steps), not -1"),
        ([1, 2.5], "entry 2 of the recorded delays: delay must be an integer ≥ 0 (optimizer steps), not 2.5"),
        ([0.0, float("nan")], "entry 2 of the recorded delays: delay must be an integer"),
        (np.array([0, 10**16]), "entry 2 of the recorded delays: delay must be at most 1e15"),
        ([], "a recorded delay needs at least one entry"),
        (np.zeros((2, 2), dtype=int), "a recorded delay needs at least one entry, and one row of them"),
        (["1", "2"], "entry 1 of the recorded delays: delay must be an integer"),
        ({0: 0.5, 1: 0.4}, "shares must sum to 1, not to 0.9"),
        ({0: 1.5, 1: -0.5}, "shares must be at least 0, and one of them above, not 1.5, -0.5"),
        ({-1: 1.0}, "delay must be an integer ≥ 0 (optimizer steps), not -1"),
        ({}, "shares must be at least 0, and one of them above, not none"),
        (1.5, "delay must be an integer ≥ 0 (optimizer steps), not 1.5"),
        (None, "delay must be an integer ≥ 0 (optimizer steps), not None"),
    ],
)
def test_what_is_no_delay_is_told_where_it_is(delay: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        as_delays(delay)


def on_the_axis(θ: Any, L: Any) -> tuple[Any, Any]:
    """Returns the 1/|L| and the angles where L is real and negative, interpolated between the points of a grid."""
    i = np.flatnonzero((L.imag[:-1] * L.imag[1:] <= 0) & (L.real[1:] < 0))
    t = L.imag[i] / (L.imag[i] - L.imag[i + 1])
    return -1 / (L.real[i] + t * (L.real[i + 1] - L.real[i])), θ[i] + t * (θ[i + 1] - θ[i])


def test_a_long_record_is_exact_too() -> None:
    """A hundred thousand delays, up to thousands of steps, beside a dense scan for the first crossing."""
    ages = np.random.default_rng(0).integers(0, 3000, 100_000)
    loop = TrainingLoop("adam", ages)
    counts = np.bincount(ages) / len(ages)
    θ = np.linspace(1e-6, 0.01, 4001)
    D = np.exp(-1j * np.outer(θ, np.arange(3000))) @ counts
    w = np.exp(-1j * θ)
    L = w * D * 0.1 / (1 - 0.9 * w) / (1 - w)
    steps, angles = on_the_axis(θ, L)
    assert loop.threshold == pytest.approx(steps.min(), rel=1e-5)
    assert loop.angle == pytest.approx(angles[steps.argmin()], rel=1e-5)


def test_a_late_crossing_that_a_grid_would_miss_is_found() -> None:
    """A long horizon makes the loop resonate far above its first crossing; a fine grid agrees."""
    for delay, horizon, share in ((40, 13, 0.45), (100, 7, 0.49), (64, 200, 0.2)):
        loop = TrainingLoop("1.2,-0.3/1,-0.1", delay, [Prediction(horizon), f"compensate:{share}"])
        θ = np.linspace(1e-5, np.pi - 1e-7, 400_001)
        w = np.exp(-1j * θ)
        D = share + (1 - share) * w**delay * (1 + horizon * (1 - w))
        L = w * D * (1.2 - 0.3 * w) / (1 - 0.1 * w) / (1 - w)
        half_turn = 2 * 1.1 / 1.5 / (share + (1 - share) * (-1) ** delay * (1 + 2 * horizon))
        steps = np.append(on_the_axis(θ, L)[0], half_turn if half_turn > 0 else np.inf)
        assert loop.threshold == pytest.approx(steps.min(), rel=1e-4)
