"""The forecasts without a network are exact where the series is what they suppose."""

import numpy as np
import pytest

from benchmarks.peers.linear_forecasts import autoregression, errors, seasonal_naive, windows

TIME = np.arange(240.0)
HORIZON, FIRST, LAST = 5, 180, 240


def test_windows_are_what_precedes_and_what_follows_each_origin() -> None:
    inputs, targets = windows(TIME, 3, 2, 100, 105)
    assert inputs.tolist() == [[97, 98, 99], [98, 99, 100], [99, 100, 101], [100, 101, 102]]
    assert targets.tolist() == [[100, 101], [101, 102], [102, 103], [103, 104]]


def test_a_series_with_a_period_is_repeated_without_error() -> None:
    series = np.sin(2 * np.pi * TIME / 12)
    forecasts = seasonal_naive(series, HORIZON, FIRST, LAST, cycle=12)
    assert errors(series, forecasts, HORIZON, FIRST, LAST)["mae"] < 1e-12


@pytest.mark.parametrize("root", [False, True])
def test_a_linear_recurrence_is_forecast_without_error(root: bool) -> None:
    series = 3 + np.sin(0.3 * TIME) + np.cos(0.11 * TIME)  # a recurrence of order 5
    forecasts = autoregression(
        np.square(series) if root else series, HORIZON, FIRST, LAST, window=12, penalty=1e-9, root=root
    )
    expected = windows(np.square(series) if root else series, 1, HORIZON, FIRST, LAST)[1]
    np.testing.assert_allclose(forecasts, expected, atol=1e-4)


def test_the_fit_sees_nothing_of_what_it_forecasts() -> None:
    series = np.random.default_rng(0).normal(size=240)
    changed = series.copy()
    changed[-1] += 1000
    one, other = (
        autoregression(values, HORIZON, FIRST, LAST, window=8, penalty=1.0, root=False) for values in (series, changed)
    )
    assert np.array_equal(one, other)


def test_errors_are_those_of_the_definition() -> None:
    found = errors(TIME, windows(TIME, 1, 2, 100, 105)[1] + [[1, -3]] * 4, 2, 100, 105)
    assert found == {"mae": 2.0, "rmse": pytest.approx(np.sqrt(5))}
