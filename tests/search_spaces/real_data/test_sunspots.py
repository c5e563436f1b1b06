"""The sunspots are the published ones, and the test is the end of the series."""

import numpy as np
import pytest

from tautune.search_spaces.real_data.sunspots import CYCLE, monthly, quarterly, sunspots

YEARLY = {1778: 154.4, 1810: 0.0, 1847: 98.4, 1913: 1.4, 1957: 190.2, 1976: 12.6, 2008: 2.9}
"""Means of years from another table, the yearly one of statsmodels (`statsmodels.datasets.sunspots`)."""


def test_the_means_of_years_are_those_of_the_yearly_table() -> None:
    table = monthly()
    assert table[:, 0].tolist() == list(range(1749, 2009))
    means = dict(zip(table[:, 0].astype(int).tolist(), table[:, 1:].mean(axis=1).tolist(), strict=True))
    for year, published in YEARLY.items():
        assert means[year] == pytest.approx(published, abs=0.5)


def test_quarters_are_means_of_three_months() -> None:
    series, ends = quarterly()
    assert series[0] == pytest.approx((58.0 + 62.6 + 70.0) / 3)
    assert (len(series), ends) == (1040, (1965 - 1749) * 4)


def test_the_series_repeats_itself_after_eleven_years_and_not_after_half_of_them() -> None:
    series, _ = quarterly()
    after = {steps: np.corrcoef(series[:-steps], series[steps:])[0, 1] for steps in (CYCLE, CYCLE // 2)}
    assert after[CYCLE] > 0.4
    assert after[CYCLE // 2] < -0.3


def test_nothing_of_the_test_is_trained_on() -> None:
    data, (series, ends) = sunspots(), quarterly()
    assert len(data.training) == ends
    np.testing.assert_array_equal(np.concatenate([data.training[:, 0], data.test[:, 0]]), series.astype(np.float32))
