"""What theory says of recorded ages, beside closed forms and published thresholds."""

import pytest

import tautune
from benchmarks.real_workers.ages import (
    SUMMARIES,
    autocorrelation,
    followed,
    growth,
    independent,
    reachable,
    summaries,
    threshold_of,
)


@pytest.mark.parametrize("age", [0, 1, 3, 7])
def test_ages_that_are_all_the_same_have_the_threshold_of_that_delay(age: int) -> None:
    ages = reachable([age] * 600)
    expected = tautune.threshold(age)
    assert summaries([age] * 10) == pytest.approx(dict.fromkeys(SUMMARIES, expected))
    assert threshold_of([ages], 1.3 * expected) == pytest.approx(expected, rel=0.01)
    assert growth(ages, 0.95 * expected) < 0 < growth(ages, 1.05 * expected)


def test_followed_is_the_recursion() -> None:
    """x[1] = 1 - k, and x[2] takes the gradient at x[0]."""
    assert followed([0, 1, 0], 0.5).tolist() == [1.0, 0.5, 0.0, 0.0]


def test_ages_drawn_independently_have_nearly_the_formulas_threshold() -> None:
    """Delays of 0 to 8, as likely each: 0.54277 in the mean, where typical growth is nearly that of the mean."""
    ages = list(range(9)) * 100
    assert summaries(ages)["distribution"] == pytest.approx(0.54277, abs=1e-4)
    drawn = [reachable(own) for own in independent(ages, 800)]
    assert threshold_of(drawn, 0.5) == pytest.approx(0.54277, rel=0.06)


def test_the_order_of_ages_matters() -> None:
    """Two workers of which each is late in turn: 0 and 2, one after the other, are no independent draws of them."""
    ages = reachable([0, 2] * 300)
    assert summaries(ages)["distribution"] == pytest.approx(
        tautune.TrainingLoop("sgd", {0: 0.5, 2: 0.5}).threshold, rel=0.01
    )
    assert autocorrelation(ages, 1) == pytest.approx(-1, abs=0.02)
    assert autocorrelation(ages, 2) == pytest.approx(1, abs=0.02)
    assert autocorrelation([3, 3, 3], 1) == 0
    # x[t+2] = (1-k) x[t] - k (1-k) x[t-2] at even t, which has the root -1 where k² = 2
    assert threshold_of([ages], 1.0) == pytest.approx(2**0.5, rel=0.01)
