"""What forecasts a series without a network: the cycle before, and a linear autoregression.

python -m benchmarks.peers.linear_forecasts RESULTS.json

The autoregression maps the last w steps to all steps of the forecast at once, by least squares with a penalty
(scikit-learn's Ridge). Window, penalty and whether it works on square roots, which even out the variance of counts, are
chosen on the validation part; it is then fitted to training and validation together and measured on the test once.
"""

import json
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from tautune.search_spaces.real_data.sunspots import CYCLE, HORIZON, quarterly

Steps = NDArray[np.float64]
VALIDATION_SHARE = 0.2
"""Share of the steps before the test that validates, the last ones, as in the study."""
WINDOWS, PENALTIES = (22, 44, 66, 88), (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


def windows(series: Steps, window: int, horizon: int, first: int, last: int) -> tuple[Steps, Steps]:
    """Returns inputs [n, window] and targets [n, horizon] of all forecasts of steps within first … last - 1."""
    origins = np.arange(max(first, window), last - horizon + 1)
    inputs = np.lib.stride_tricks.sliding_window_view(series, window)[origins - window]
    return inputs, np.lib.stride_tricks.sliding_window_view(series, horizon)[origins]


def seasonal_naive(series: Steps, horizon: int, first: int, last: int, *, cycle: int = CYCLE) -> Steps:
    """Returns forecasts [n, horizon] that repeat the cycle before; `horizon` is at most `cycle`."""
    return windows(series, cycle, horizon, first, last)[0][:, :horizon]


def autoregression(
    series: Steps, horizon: int, first: int, last: int, *, window: int, penalty: float, root: bool
) -> Steps:
    """Returns the forecasts [n, horizon] of steps within first … last - 1, after a fit to the steps before."""
    scaled = np.sqrt(series) if root else series
    past = scaled[:first]
    scaled = (scaled - past.mean()) / past.std()
    model = Ridge(alpha=penalty).fit(*windows(scaled, window, horizon, 0, first))
    forecasts: Steps = model.predict(windows(scaled, window, horizon, first, last)[0]) * past.std() + past.mean()
    return np.maximum(forecasts, 0) ** 2 if root else forecasts


def errors(series: Steps, forecasts: Steps, horizon: int, first: int, last: int) -> dict[str, float]:
    """Returns the mean absolute error and the root of the mean squared error, over all forecasts and steps."""
    missed = forecasts - windows(series, 1, horizon, first, last)[1]
    return {"mae": float(np.abs(missed).mean()), "rmse": float(np.sqrt(np.square(missed).mean()))}


def figures(horizon: int = HORIZON) -> dict[str, Any]:
    """Returns both forecasts' errors on validation and test, and the autoregression's settings, chosen by `mae`."""
    series, ends = quarterly()
    parts = {"validation": (ends - round(VALIDATION_SHARE * ends), ends), "test": (ends, len(series))}

    def naive(first: int, last: int) -> dict[str, float]:
        return errors(series, seasonal_naive(series, horizon, first, last), horizon, first, last)

    def linear(first: int, last: int, settings: tuple[int, float, bool]) -> dict[str, float]:
        window, penalty, root = settings
        forecasts = autoregression(series, horizon, first, last, window=window, penalty=penalty, root=root)
        return errors(series, forecasts, horizon, first, last)

    tried = list(product(WINDOWS, PENALTIES, (False, True)))
    best = min(tried, key=lambda settings: linear(*parts["validation"], settings)["mae"])
    return {
        "horizon": horizon,
        "seasonal_naive": {part: naive(*within) for part, within in parts.items()},
        "linear": {part: linear(*within, best) for part, within in parts.items()},
        "linear_settings": dict(zip(("window", "penalty", "root"), best, strict=True)),
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(figures()))
