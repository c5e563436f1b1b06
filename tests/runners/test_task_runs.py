"""A regression and a forecast from the tuning to the prediction, on Ray."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch
from ray import tune

from tautune._tuned import predict, refit
from tautune.runners.tables import Table
from tautune.runners.trial_rows import read_rows
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.supervised.tasks import TASKS
from tests.runners.tunings import rows_of, run
from tests.trainables.supervised.test_tasks import INPUTS, LINE, SERIES, TARGETS, WAVE, recurrent

LINES = TuningStudy(
    name="lines",
    description="",
    data=lambda: LINE,
    model="mlp",
    task="regression",
    space={"learning_rate": tune.choice([0.03, 1e20]), "layers": 0, "optimizer": "sgd", "batch_size": 16, "delay": 1},
)


def kept_error(folder: Path) -> float:
    """Returns the mean absolute error of what test_predictions.csv holds."""
    table = pandas.read_csv(folder / "test_predictions.csv")
    true, predicted = (table[[name for name in table if name.startswith(kind)]] for kind in ("target", "prediction"))
    return float(np.abs(true.to_numpy() - predicted.to_numpy()).mean())


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_regression_is_tuned_refitted_and_predicts(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    best, text = run(LINES, "grid", "none", folder, folds=2, max_epochs=8)
    assert best["config"]["learning_rate"] == 0.03
    assert 0 < best["validation_rmse"] < 40
    assert "validation RMSE" in text
    good, bad = rows_of(folder)
    assert (bad["state"], bad["diverged_step"]) == ("diverged", "2")  # the first gradient is one step late
    scale = sum(TARGETS[numbers].std(correction=0) for numbers in (slice(0, 50), slice(50, 100))) / 2
    assert float(bad["validation_rmse"]) == pytest.approx(1000 * float(scale), rel=0.2)
    assert list(good)[2:8] == [
        *("state", "validation_rmse", "validation_rmse_deviation", "validation_mae", "validation_r2"),
        "validation_loss",
    ]
    assert read_rows(folder, LINES.goal)[0]["validation_mae"] == float(good["validation_mae"])
    test = refit(folder, study=LINES)
    assert (test["training_examples"], test["test_examples"]) == (100, 20)
    assert kept_error(folder) == pytest.approx(test["test_mae"], rel=1e-5)
    assert '<figure id="predictions">' in (folder / "report.html").read_text()
    (tmp_path / "rows.csv").write_text("\n".join(",".join(map(str, row)) for row in INPUTS[100:].tolist()))
    table = predict(folder, [tmp_path / "rows.csv"])
    assert isinstance(table, Table)
    error = torch.tensor(table.rows).squeeze(1) - TARGETS[100:]
    assert float(error.square().mean().sqrt()) == pytest.approx(test["test_rmse"], rel=1e-4)
    assert json.loads((folder / "run.json").read_text())["configuration"]["task"]["metric"] == "rmse"


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_forecast_walks_forward_and_sees_what_came_before(tmp_path: Path) -> None:
    study = TuningStudy(
        name="wave",
        description="",
        data=lambda: SERIES,
        model=recurrent,
        task=replace(TASKS["forecasting"], metric="rmse"),
        space={"learning_rate": 0.02, "window": tune.choice([6, 20]), "batch_size": 64},
    )
    folder = tmp_path / "out"
    run(study, "random", "none", folder, trials=1, folds=2, max_epochs=2)
    test = refit(folder, study=study)
    assert test["test_examples"] == 40
    assert kept_error(folder) == pytest.approx(test["test_mae"], rel=1e-5)
    assert '<figure id="forecasts">' in (folder / "report.html").read_text()
    (tmp_path / "series.csv").write_text("\n".join(map(str, WAVE.tolist())))
    table = predict(folder, [tmp_path / "series.csv"], study=study)
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == [1, 2, 3]
    assert all(40 < row[1] < 160 for row in table.rows)
