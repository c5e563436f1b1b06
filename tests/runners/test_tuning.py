"""Tuning as a whole, with the real searches and schedulers, on a real local Ray."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray import tune
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from tautune._tuned import extend
from tautune.records.errors import InputError, RunFailed
from tautune.records.event_files import BOARD
from tautune.records.journal import FILE
from tautune.runners.tuning_checks import Options
from tautune.runners.tuning_job import make_tuning
from tautune.search_spaces import digits_mlp
from tautune.trainables.supervised import datasets
from tautune.trainables.supervised.datasets import ImageData
from tautune.trainables.supervised.trial import DIVERGED_VALIDATION_LOSS
from tests.runners.tunings import EXPLOSIVE, GRID, SMALL, STEPS, rows_of, run, without_zero_width

COMBINATIONS = [
    ("grid", "none"),
    ("random", "pbt"),
    ("random", "pb2"),
    ("random", "median"),
    ("hyperopt", "asha"),
    ("optuna-tpe", "hyperband"),
    ("gp", "none"),
    ("cmaes", "asha"),
    ("pso", "asha"),
]
HALF_DIVERGE = {"l2": tune.loguniform(1e-14, 1e14)}


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize(("search", "scheduler"), COMBINATIONS)
def test_every_search_and_scheduler_ends_with_a_best_that_it_saw(search: str, scheduler: str, tmp_path: Path) -> None:
    study = GRID if search == "grid" else replace(SMALL, space=SMALL.space | HALF_DIVERGE)
    options = {} if search == "grid" else {"trials": 6, "seed": 1}
    best, printed = run(study, search, scheduler, tmp_path / "out", **options)
    rows = rows_of(tmp_path / "out")
    assert len(rows) == options.get("trials", 4)
    accuracies = [float(row["validation_accuracy"]) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert best["validation_accuracy"] == accuracies[0] > 0.5
    assert json.loads((tmp_path / "out" / "best.json").read_text()) == best
    assert f"best of {len(rows)} trials" in printed
    assert {row["state"] for row in rows} <= {"finished", "stopped", "diverged"}
    assert any(row["state"] == "diverged" for row in rows) == (search != "grid")
    for row in rows:
        assert ("config/units_2" in row and bool(row["config/units_2"])) == (row.get("config/layers") == "2")
    if search == "grid":
        assert {(row["config/learning_rate"], row["config/units"]) for row in rows} == {
            (rate, units) for rate in ("0.01", "0.1") for units in ("8", "16")
        }
        with pytest.raises(InputError, match="is a grid: all of its configurations were tried"):
            extend(tmp_path / "out", 2, study=GRID)
    if scheduler in ("pbt", "pb2"):
        assert all(0.5 <= float(row["config/momentum"]) <= 0.95 for row in rows)
        assert all(row["epochs_trained"] == "3" for row in rows if row["state"] != "diverged")
    check_finite(tmp_path / "out", rows)


def check_finite(folder: Path, rows: list[dict[str, str]]) -> None:
    """Checks that neither Tune, whose scheduler and search have what the journal has, nor a file met a NaN."""
    texts = [(folder / name).read_text() for name in (FILE, "trials.jsonl", "best.json")]
    assert len(texts[0].splitlines()) > 2 * len(rows)
    assert not any("NaN" in text or "Infinity" in text for text in texts)
    assert all(np.isfinite(float(row[name])) for row in rows for name in ("training_loss", "validation_loss"))


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_tensorboard_has_every_trial_whole_though_most_were_stopped(tmp_path: Path) -> None:
    run(SMALL, "random", "asha", tmp_path / "out", trials=5, max_epochs=9)
    rows = rows_of(tmp_path / "out")
    assert len({row["state"] for row in rows}) == 2
    assert sorted(row["number"] for row in rows) == list("12345")
    assert any(row["epochs"] != row["epochs_trained"] for row in rows)
    best = json.loads((tmp_path / "out" / "best.json").read_text())
    for row in rows:
        (folder,) = (tmp_path / "out" / BOARD).glob(f"{int(row['number']):02d} η=*")
        events = EventAccumulator(str(folder)).Reload()
        accuracies = events.Scalars("1 validation/accuracy")
        assert [event.step for event in accuracies] == list(range(1, int(row["epochs_trained"]) + 1))
        so_far = events.Scalars("2 best so far/best_accuracy")
        assert [event.value for event in so_far] == list(np.maximum.accumulate([event.value for event in accuracies]))
        shown = shown_in_hparams(tmp_path / "out", folder.name)
        columns = ("best_accuracy", "best_loss", "best_training_loss", "best_epoch", "epochs_trained", "diverged")
        assert tuple(shown) == columns
        names = ("validation_accuracy", "validation_loss", "training_loss", "epochs", "epochs_trained")
        assert [shown[column] for column in columns[:5]] == pytest.approx([float(row[name]) for name in names])
        if int(row["number"]) == best["number"]:
            assert [shown[column] for column in columns[:5]] == pytest.approx([best[name] for name in names])
        assert len(events.Scalars("5 progress/learning_rate")) == len(accuracies)
        content = events.summary_metadata
        start = HParamsPluginData.FromString(content["_hparams_/session_start_info"].plugin_data.content)
        hyperparameters = start.session_start_info.hparams
        assert hyperparameters["learning_rate"].number_value == pytest.approx(float(row["config/learning_rate"]))
        assert hyperparameters["optimizer"].string_value == "nesterov"
        assert "_hparams_/session_end_info" in content


def shown_in_hparams(output: Path, name: str) -> dict[str, float]:
    """Returns the last values of a trial, by the columns of the table of hyperparameters."""
    content = EventAccumulator(str(output / BOARD / "study")).Reload().summary_metadata
    columns = HParamsPluginData.FromString(content["_hparams_/experiment"].plugin_data.content).experiment.metric_infos
    events = EventAccumulator(str(output / BOARD / name)).Reload()
    return {column.display_name: events.Scalars(column.name.tag)[-1].value for column in columns}


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_folds_and_repeats_are_averaged(tmp_path: Path) -> None:
    best, printed = run(SMALL, "random", "none", tmp_path / "out", trials=2, folds=3, repeats=2, examples=300)
    assert best["validation_accuracy_deviation"] > 0
    assert "±" in printed
    run_json = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run_json["runs"][0]["training_epochs"] == 2 * 3 * 6


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize(("search", "scheduler"), [("random", "asha"), ("random", "pbt"), ("hyperopt", "none")])
def test_a_diverged_trial_ends_at_once_and_is_never_the_best(search: str, scheduler: str, tmp_path: Path) -> None:
    options = {"trials": 8, "max_epochs": 4, "seed": 1}
    best, _ = run(EXPLOSIVE, search, scheduler, tmp_path / "out", **options)
    assert best["config"]["learning_rate"] == 1e-2
    diverged = [row for row in rows_of(tmp_path / "out") if float(row["config/learning_rate"]) > 1]
    assert diverged
    for row in diverged:
        assert row["state"] == "diverged"
        epochs = int(row["epochs_trained"])
        assert epochs == 1 or scheduler == "pbt"  # which may give a good trial the other rate
        assert int(row["diverged_step"]) == (epochs - 1) * STEPS + 1
        assert float(row["validation_loss"]) == DIVERGED_VALIDATION_LOSS
        assert float(row["validation_accuracy"]) == 0
    assert all(np.isfinite(float(row["training_loss"])) for row in rows_of(tmp_path / "out"))


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_resources_that_no_node_has_are_told_at_the_start_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="asks for 1000 CPU and 0 GPU; the largest node has"):
        run(SMALL, "random", "none", tmp_path / "out", cpus_per_trial=1000)
    assert not (tmp_path / "out").exists()


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_where_everything_diverges_there_is_no_best(tmp_path: Path) -> None:
    study = replace(EXPLOSIVE, space={"learning_rate": 1e8, "optimizer": "sgd"})
    with pytest.raises(RunFailed, match="every trial diverged"):
        run(study, "random", "none", tmp_path / "out", trials=2)
    assert len(rows_of(tmp_path / "out")) == 2


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_the_searcher_is_told_of_a_divergence_and_turns_away(tmp_path: Path) -> None:
    space = {"learning_rate": tune.choice([1e-2, 1e8]), "units": tune.choice([4, 8, 16]), "optimizer": "sgd"}
    study = replace(EXPLOSIVE, space=space)
    _, printed = run(study, "hyperopt", "none", tmp_path / "out", trials=24, max_epochs=1, concurrent=1)
    diverged = ["diverged" in line for line in printed.splitlines() if " of 24:" in line]
    assert len(diverged) == 24
    assert any(diverged[:12])
    assert sum(diverged[12:]) < 4  # six by chance


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_configurations_that_raise_are_named_and_the_others_kept(tmp_path: Path) -> None:
    space = {"learning_rate": tune.choice([0.01, 0.1]), "width": tune.choice([4, 0])}
    study = replace(SMALL, model=without_zero_width, space=space)
    with pytest.raises(RunFailed, match=r"(?s)Traceback.* 2 of 4 trials failed; above is trial 0[1-4] .*width=0"):
        run(study, "grid", "none", tmp_path / "out", max_epochs=1)
    states = [row["state"] for row in rows_of(tmp_path / "out")]
    assert sorted(states) == ["failed", "failed", "finished", "finished"]
    assert (tmp_path / "out" / "best.json").exists()


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_trials_are_given_training_images_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of data whose test images are told from the others by their first pixel."""
    given = {}

    class Given(Exception):
        pass

    def spy(trainable: Any, **shared: Any) -> Any:
        given.update(shared)
        raise Given

    def marked() -> ImageData:
        data = datasets.load("digits")
        data.train.pixels[:, 0, 0, 0], data.test.pixels[:, 0, 0, 0] = 1, 255
        return data

    monkeypatch.setattr(tune, "with_parameters", spy)
    with pytest.raises(Given):
        run(replace(SMALL, data=marked), "random", "none", tmp_path / "out", trials=1, max_epochs=1)
    assert given["pixels"].shape == (1437, 1, 8, 8)
    assert set(given["pixels"][:, 0, 0, 0].tolist()) == {1}
    ((training, validation),) = given["splits"]
    assert sorted([*training.tolist(), *validation.tolist()]) == list(range(1437))
    images = [value for value in given.values() if hasattr(value, "shape") and value.shape[:1] == (360,)]
    assert images == []


@pytest.mark.parametrize(
    ("search", "scheduler", "space", "message"),
    [
        ("gird", "asha", {}, "search 'gird' is unknown; did you mean grid"),
        ("random", "ahsa", {}, "scheduler 'ahsa' is unknown; did you mean asha"),
        ("grid", "none", {}, "learning_rate is a range"),
        ("hyperopt", "pbt", {}, "use it with search random"),
        ("random", "pb2", {}, "pb2 moves ranges of numbers, and batch_size is none"),
        ("cmaes", "none", {"learning_rate": 0.1, "momentum": 0.9, "dropout": 0.0}, "at least two of them"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(
    search: str, scheduler: str, space: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make_tuning(digits_mlp.STUDY, Options(search=search, scheduler=scheduler, fixed=space))
