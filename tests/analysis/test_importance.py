"""Which hyperparameters mattered: as Optuna says it of the same trials, with what was left out and why."""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from ray import tune

import tautune
from tautune._tuning_result import TuningResult
from tautune.analysis.importance import importance
from tautune.commands import app as cli
from tautune.records.errors import InputError
from tautune.search_spaces.space import Space, When, as_text
from tautune.trainables.goal import Goal
from tests.records.test_run_folder import TUNING

SPACE: Space = {
    "learning_rate": tune.loguniform(1e-4, 1),
    "momentum": tune.uniform(0, 0.9),
    "steps": tune.randint(1, 5),
    "layers": tune.choice([1, 2]),
    "units_2": When("layers", (2,), tune.choice([[8], [16]])),
    "epochs": tune.choice([5, 20]),
    "optimizer": "sgd",
}
KEPT = {name: as_text(entry) for name, entry in SPACE.items()}
GOAL = Goal("loss", "min")
Row = dict[str, Any]


def rows_of(count: int, *, diverged: bool = False) -> list[Row]:
    """Returns trials whose loss is a matter of the learning rate; a large one diverges, if any do."""
    draw, rows = np.random.default_rng(0), []
    for _ in range(count):
        rate, layers = 10 ** draw.uniform(-4, 0), int(draw.integers(1, 3))
        config: Row = {"learning_rate": rate, "momentum": draw.uniform(0, 0.9), "steps": int(draw.integers(1, 5))}
        config |= {"layers": layers, "epochs": 20, "optimizer": "sgd"}
        config |= {"units_2": [8]} if layers == 2 and draw.random() < 0.5 else {"units_2": [16]} if layers == 2 else {}
        bad = diverged and rate > 0.5
        loss = 1e6 if bad else (np.log10(rate) + 2) ** 2 + 0.05 * config["momentum"]
        rows.append({"state": "diverged" if bad else "finished", "config": config, "loss": loss, "epochs": 1})
    return rows


def test_it_is_what_optuna_says_of_a_study_of_its_own() -> None:
    rows = rows_of(60)
    study = optuna.create_study()
    for row in rows:
        study.enqueue_trial({**row["config"], "units_2": str(row["config"].get("units_2"))})
        trial = study.ask()
        trial.suggest_float("learning_rate", 1e-4, 1, log=True)
        trial.suggest_float("momentum", 0, 0.9)
        trial.suggest_int("steps", 1, 4)
        if trial.suggest_categorical("layers", [1, 2]) == 2:
            trial.suggest_categorical("units_2", ["[8]", "[16]"])
        study.tell(trial, row["loss"])
    found = importance(rows, KEPT, GOAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fanova = optuna.importance.FanovaImportanceEvaluator(seed=0)
        best = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=found.best / 60)
        assert found.fanova == pytest.approx(optuna.importance.get_param_importances(study, evaluator=fanova), abs=1e-6)
        assert found.pedanova == pytest.approx(optuna.importance.get_param_importances(study, evaluator=best), abs=1e-6)
    assert next(iter(found.pedanova)) == next(iter(found.fanova)) == "learning_rate"
    assert found.fanova["learning_rate"] > 0.9
    assert found.left_out["epochs"] == "it had one value in every trial"
    assert found.left_out["units_2"].startswith("it exists only where layers in [2]")
    assert set(found.left_out) == {"epochs", "units_2"}


def test_a_diverged_trial_counts_as_the_worst_of_the_others_and_not_as_its_penalty() -> None:
    rows = rows_of(60, diverged=True)
    found = importance(rows, KEPT, GOAL)
    assert (found.trials, found.diverged) == (60, sum(row["state"] == "diverged" for row in rows))
    worst = max(row["loss"] for row in rows if row["state"] != "diverged")
    instead = [row | {"state": "finished", "loss": min(row["loss"], worst)} for row in rows]
    assert importance(instead, KEPT, GOAL).fanova == found.fanova
    upside_down = [row | {"accuracy": -row["loss"]} for row in rows]
    assert importance(upside_down, KEPT, Goal("accuracy", "max")).pedanova == found.pedanova


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (rows_of(9), "importance needs at least 10 trials that ended with a result, not 9"),
        ([row | {"state": "running"} for row in rows_of(20)], "at least 10 trials .*, not 0"),
        ([row | {"state": "diverged"} for row in rows_of(20)], "a trial that did not diverge, and all 20 did"),
        ([row | {"loss": 2.5} for row in rows_of(12)], "trials that differ: every trial has loss = 2.5"),
        ([row | {"config": {"momentum": 0.5}} for row in rows_of(12)], "no hyperparameter has two values in them"),
        ([row | {"config": row["config"] | {"steps": f"{n}"}} for n, row in enumerate(rows_of(12))], "the space has"),
    ],
)
def test_what_cannot_be_judged_is_told_in_one_line(rows: list[Row], message: str) -> None:
    with pytest.raises(InputError, match=message):
        importance(rows, KEPT, GOAL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    configuration = TUNING | {"space": KEPT, "metric": "loss", "mode": "min"}
    run = {"configuration": configuration, "runs": [{"experiment": "trials", "trials": 30}]}
    (tmp_path / "run.json").write_text(json.dumps(run))
    own: Row = {"trial": "a", "experiment": "trials", "epochs_trained": 1, "epochs_run": 1, "diverged_step": None}
    own |= {"seconds": 1.0, "host": "here"}
    lines = [json.dumps(row | own | {"number": n}) for n, row in enumerate(rows_of(30, diverged=True))]
    (tmp_path / "trials.jsonl").write_text("\n".join(lines))
    return tmp_path


def test_the_command_and_python_say_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tautune.load(folder)
    assert isinstance(result, TuningResult)
    for options in ([], ["--json"]):
        monkeypatch.setattr(sys, "argv", ["tautune", "results", str(folder), "--importance", *options])
        with pytest.raises(SystemExit):
            cli.main()
    *table, as_json = capsys.readouterr().out.splitlines()
    assert json.loads(as_json) == result.importance().as_json()
    said = "\n".join(table)
    assert "learning_rate" in said
    assert "among the best 5 of 30 trials" in said
    assert "diverged, and count as the worst of the others" in said
    assert "left out: units_2: it exists only where layers in [2]" in said
