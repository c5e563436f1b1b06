"""What is kept of a refitted model's predictions is what its test was measured by."""

from typing import Any

import numpy as np
import pytest
import torch

from tautune.runners.tested import predictions_of_test
from tautune.search_spaces.sequences import Series
from tautune.search_spaces.task_data import AnyData, outputs_for
from tautune.trainables.supervised.sources import source_of, source_of_test
from tautune.trainables.supervised.supervised_training import SupervisedTraining
from tautune.trainables.supervised.tasks import TASKS
from tautune.trainables.supervised.training import evaluate
from tests.trainables.supervised.test_tasks import LINE, SERIES, WAVE, recurrent

BOTH = torch.stack([WAVE, 2 * WAVE], dim=1)
TWO = Series(training=BOTH[:360], test=BOTH[360:], horizon=3, window=12)


@pytest.mark.parametrize(
    ("name", "data", "model", "config", "columns"),
    [
        ("regression", LINE, "mlp", {"layers": 0, "learning_rate": 0.1}, ["1"]),
        ("forecasting", SERIES, recurrent, {"learning_rate": 0.02, "window": 20}, ["1", "2", "3"]),
        ("forecasting", TWO, recurrent, {"learning_rate": 0.02}, ["1.1", "1.2", "2.1", "2.2", "3.1", "3.2"]),
    ],
)
def test_their_mean_absolute_error_is_the_tests(
    name: str, data: AnyData, model: Any, config: dict[str, Any], columns: list[str]
) -> None:
    task, window = TASKS[name], config.get("window")
    source = source_of(data.train, (torch.arange(len(data.train)), torch.arange(0)), window=window)
    training = SupervisedTraining(model, config, source, outputs=outputs_for(task, data), horizon=2, seed=0, task=task)
    training.train_epoch()
    tested = source_of_test(data, window=window)
    measured = evaluate(training.model, tested.validation(), training.normalize, task, training.scale).metrics["mae"]
    table = predictions_of_test(training, tested.validation())
    assert table.columns == [f"{kind}_{column}" for column in columns for kind in ("target", "prediction")]
    rows = np.array(table.rows)
    assert np.abs(rows[:, ::2] - rows[:, 1::2]).mean() == pytest.approx(measured, rel=1e-5)
    if data is SERIES:
        np.testing.assert_allclose(rows[:, 0], WAVE[360 : 360 + len(rows)], rtol=1e-6)
        np.testing.assert_allclose(rows[:-1, 2], rows[1:, 0])  # what comes second is the next one's first


def test_a_report_draws_a_forecast_as_what_came_and_each_step_as_its_error() -> None:
    from tautune.analysis.reports.charts.predictions import Column, forecasts

    steps = [Column([1.0, 2.0, 3.0], [1.5, 2.0, 3.0]), Column([2.0, 3.0, 4.0], [2.0, 3.0, 1.0])]
    series, errors = forecasts(steps)
    assert series.table is not None
    assert series.table.rows == [(1, 1.0, 1.5, None), (2, 2.0, 2.0, 2.0), (3, 3.0, 3.0, 3.0)]
    assert errors.table is not None
    assert errors.table.rows == [(1, pytest.approx(0.5 / 3)), (2, 1.0)]
