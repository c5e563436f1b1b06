"""Tuning as a whole, with the real searches and schedulers, on a real local Ray."""

import csv
import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from ray import tune
from ray.tune.search.hyperopt import HyperOptSearch
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from tautune._tune import extend, refit, resume, tuning_result
from tautune._tune import tune as tautune_tune
from tautune.commands.tuning_display import TuningDisplay
from tautune.records.errors import InputError, RunFailed
from tautune.records.files import write_json
from tautune.runners import prediction
from tautune.runners.prediction import predict
from tautune.runners.searches import hyperopt_space
from tautune.runners.tensorboard_log import BEST
from tautune.runners.tuning_checks import Options
from tautune.runners.tuning_job import make_tuning
from tautune.search_spaces import digits_mlp
from tautune.search_spaces.space import When
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.classifier import datasets
from tautune.trainables.classifier.datasets import ImageData
from tautune.trainables.classifier.normalization import Normalization
from tautune.trainables.classifier.trial import DIVERGED_VALIDATION_LOSS

SMALL = TuningStudy(
    name="small",
    description="",
    data="digits",
    model="mlp",
    space={
        "learning_rate": tune.loguniform(1e-2, 1e-1),
        "momentum": tune.uniform(0.5, 0.95),
        "layers": tune.choice([1, 2]),
        "units_1": tune.choice([8, 32]),
        "units_2": When("layers", (2,), tune.choice([8, 32])),
        "optimizer": "nesterov",
    },
)
GRID = replace(SMALL, space={"learning_rate": tune.choice([1e-2, 1e-1]), "units": tune.choice([8, 16]), "delay": 2})
STEPS = 18
"""An epoch of the 1149 images that are left of the digits to train on, in mini-batches of 64."""
EXPLOSIVE = replace(SMALL, space={"learning_rate": tune.choice([1e-2, 1e8]), "optimizer": "sgd"})


def run(study: TuningStudy, search: str, scheduler: str, output: Path, **options: Any) -> tuple[dict[str, Any], str]:
    text = io.StringIO()
    defaults: dict[str, Any] = {"max_epochs": 3} | ({} if search == "grid" else {"trials": 4})
    display = TuningDisplay(Console(file=text, width=200))
    result = tautune_tune(
        study, search=search, scheduler=scheduler, output=output, progress=display, **defaults | options
    )
    return result.best, text.getvalue()


def rows_of(output: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((output / "trials.csv").open()))


COMBINATIONS = [
    ("grid", "none"),
    ("random", "pbt"),
    ("random", "pb2"),
    ("random", "median"),
    ("hyperopt", "asha"),
    ("optuna-tpe", "hyperband"),
    ("gp", "none"),
    ("cmaes", "asha"),
]


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize(("search", "scheduler"), COMBINATIONS)
def test_every_search_and_scheduler_ends_with_a_best_that_it_saw(search: str, scheduler: str, tmp_path: Path) -> None:
    best, printed = run(GRID if search == "grid" else SMALL, search, scheduler, tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert len(rows) == 4
    accuracies = [float(row["validation_accuracy"]) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert best["validation_accuracy"] == accuracies[0] > 0.5
    assert json.loads((tmp_path / "out" / "best.json").read_text()) == best
    assert "best configurations" in printed
    assert {row["state"] for row in rows} <= {"finished", "stopped"}
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
        assert all(row["epochs_trained"] == "3" for row in rows)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_tensorboard_has_every_trial_whole_though_most_were_stopped(tmp_path: Path) -> None:
    run(SMALL, "random", "asha", tmp_path / "out", trials=5, max_epochs=9)
    rows = rows_of(tmp_path / "out")
    assert len({row["state"] for row in rows}) == 2
    assert sorted(row["number"] for row in rows) == list("12345")
    assert any(row["epochs"] != row["epochs_trained"] for row in rows)
    for row in rows:
        events = EventAccumulator(str(tmp_path / "out" / "trials" / f"{int(row['number']):02d}")).Reload()
        accuracies = events.Scalars("validation_accuracy")
        assert [event.step for event in accuracies] == list(range(1, int(row["epochs_trained"]) + 1))
        assert max(event.value for event in accuracies) == pytest.approx(float(row["validation_accuracy"]))
        for name in BEST:  # of which HParams shows the last
            assert events.Scalars(f"best/{name}")[-1].value == pytest.approx(float(row[name]))
        assert len(events.Scalars("learning_rate")) == len(accuracies)
        content = events.summary_metadata
        start = HParamsPluginData.FromString(content["_hparams_/session_start_info"].plugin_data.content)
        hyperparameters = start.session_start_info.hparams
        assert hyperparameters["learning_rate"].number_value == pytest.approx(float(row["config/learning_rate"]))
        assert hyperparameters["optimizer"].string_value == "nesterov"
        shown = HParamsPluginData.FromString(content["_hparams_/experiment"].plugin_data.content).experiment
        assert {metric.name.tag for metric in shown.metric_infos} == {*(f"best/{name}" for name in BEST), "diverged"}
        assert "_hparams_/session_end_info" in content


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
def test_refit_uses_all_training_images_and_the_test_images_once(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    best, _ = run(SMALL, "random", "none", folder, trials=2, max_epochs=5)
    test = refit(folder, study=SMALL)
    assert test["training_images"] == 1437
    assert test["test_images"] == 360
    assert test["test_accuracy"] > 0.5
    assert test["epochs"] == best["epochs"]
    model = torch.load(folder / "model.pt", weights_only=True)
    data = datasets.load("digits")
    assert model["config"] == best["config"]
    torch.testing.assert_close(model["training"]["mean"], Normalization.of(data.train.pixels).mean)
    with pytest.raises(InputError, match="its test images were used; --again"):
        refit(folder, study=SMALL)
    files = []
    for number in range(30):
        pixels = data.test.pixels[number, 0].numpy()
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(files[-1])
    labels = [int(prediction.label) for prediction in predict(folder, files)]
    right = sum(label == int(target) for label, target in zip(labels, data.test.targets, strict=False))
    assert right / 30 == pytest.approx(test["test_accuracy"], abs=0.2)
    alone = predict(folder, files[:1])[0]
    assert int(alone.label) == labels[0]
    assert alone.probability == pytest.approx(predict(folder, files)[0].probability)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_refit_after_a_population_follows_the_line_of_the_best(tmp_path: Path) -> None:
    study = replace(SMALL, space=SMALL.space | {"learning_rate": tune.loguniform(1e-4, 1e-1)})
    best, _ = run(study, "random", "pbt", tmp_path / "out", max_epochs=8)
    test = refit(tmp_path / "out", study=study)
    expected = [entry for entry in best["history"] if entry["epoch"] < best["epochs"]]
    assert test["history"] == expected


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_an_extension_goes_on_with_what_the_search_and_asha_know(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    run(SMALL, "hyperopt", "asha", folder, trials=5)
    first = {row["trial"] for row in rows_of(folder)}
    rungs = json.loads((folder / "rungs.json").read_text())
    extend(folder, 4, study=SMALL)
    rows = rows_of(folder)
    assert len(rows) == 9
    assert first < {row["trial"] for row in rows}
    grown = json.loads((folder / "rungs.json").read_text())
    assert all(before.items() <= after.items() for before, after in zip(rungs, grown, strict=True))
    assert len(grown[-1]) == 9
    state = next((folder / "trials-2").glob("searcher-state-*.pkl"))
    searcher = HyperOptSearch(hyperopt_space(SMALL.space), metric="validation_accuracy", mode="max")
    searcher.restore(str(state))
    assert len(searcher._hpopt_trials.trials) == 9
    run_json = json.loads((folder / "run.json").read_text())
    assert [r["experiment"] for r in run_json["runs"]] == ["trials", "trials-2"]
    assert sorted(int(row["number"]) for row in rows) == list(range(1, 10))
    assert sorted(place.name for place in (folder / "trials-2").iterdir() if place.is_dir()) == ["06", "07", "08", "09"]
    resume(folder, study=SMALL)  # nothing is left
    assert rows_of(folder) == rows
    changed = replace(SMALL, space=SMALL.space | {"units_1": 32})
    with pytest.raises(InputError, match="another version of the study small: its space was"):
        refit(folder, study=changed)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_configurations_that_raise_are_named_and_the_others_kept(tmp_path: Path) -> None:
    study = replace(SMALL, model="cnn", space={"layers": tune.choice([1, 2]), "channels": tune.choice([4, 0])})
    with pytest.raises(RunFailed, match=r"(?s)Traceback.* 2 of 4 trials failed; above is trial .*channels=0"):
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


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_spent_time_budget_is_no_interruption_and_a_resume_has_a_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    best, _ = run(SMALL, "random", "none", folder, trials=3, max_epochs=1500, time_budget=10)
    assert best["validation_accuracy"] > 0.5
    first = json.loads((folder / "run.json").read_text())["runs"][-1]
    assert first["stopped_by_budget"]
    assert "finished" in first
    resume(folder, study=SMALL)
    last = json.loads((folder / "run.json").read_text())["runs"][-1]
    assert last["training_epochs"] > first["training_epochs"]
    assert "finished" in last
    assert {row["state"] for row in rows_of(folder)} <= {"finished", "interrupted"}


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_in_a_thread_a_spent_budget_ends_the_run_and_it_can_be_resumed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def in_thread(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(call, *arguments, **options).result()

    options = {"search": "random", "scheduler": "none", "trials": 2, "max_epochs": 800, "time_budget": 6}
    result = in_thread(tautune_tune, SMALL, output=tmp_path / "out", **options)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["runs"][-1]["stopped_by_budget"]
    first = dict(zip(result.trials["number"], result.trials["epochs_run"], strict=True))
    result = in_thread(resume, result.path, study=SMALL)
    assert tuning_result(result.path).best == result.best
    second = dict(zip(result.trials["number"], result.trials["epochs_run"], strict=True))
    assert sum(second.values()) > sum(first.values())
    assert set(first) <= set(second)
    assert capfd.readouterr().out == ""
    with pytest.raises(InputError, match="which came from Python; go on from Python, with study="):
        resume(result.path)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_refit_has_no_patience(tmp_path: Path) -> None:
    study = replace(
        SMALL, space={"optimizer": "adam", "learning_rate": 1e-9, "units": 8, "patience": 1, "dropout": 0.9}
    )
    best, _ = run(study, "random", "none", tmp_path / "out", trials=1, max_epochs=20)
    write_json(tmp_path / "out" / "best.json", best | {"epochs": 6})  # later than its patience with random losses
    assert refit(tmp_path / "out", study=study)["epochs"] == 6


def test_pictures_are_brought_to_the_models_kind(tmp_path: Path) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    kinds = {"grey": Image.fromarray(pixels), "16 bit": Image.fromarray(pixels.astype(np.uint16) * 257)}
    clear = np.zeros((8, 8, 4), np.uint8)
    clear[..., 3] = 255 - pixels  # black, drawn in alpha alone
    kinds["alpha"] = Image.fromarray(clear)
    for name, picture in kinds.items():
        picture.save(tmp_path / f"{name}.png")
        read = prediction._read(tmp_path / f"{name}.png", (1, 8, 8))
        assert abs(read[0, 0].int() - torch.from_numpy(pixels).int()).max() <= 1, name
    turned = Image.fromarray(np.rot90(pixels, 1))
    exif = turned.getexif()
    exif[0x0112] = 6  # shown turned by 90° clockwise
    turned.save(tmp_path / "photo.png", exif=exif)
    assert torch.equal(prediction._read(tmp_path / "photo.png", (1, 8, 8))[0, 0], torch.from_numpy(pixels))
    Image.fromarray(pixels.astype(np.float32)).save(tmp_path / "float.tiff")
    np.save(tmp_path / "nan.npy", np.full((1, 8, 8), np.nan))
    np.save(tmp_path / "text.npy", np.array(["a"]))
    (tmp_path / "empty.npy").write_bytes(b"")
    for name, message in {
        "float.tiff": "whose range is not known",
        "nan.npy": "must hold one array of finite numbers",
        "text.npy": "must hold one array of finite numbers",
        "empty.npy": "is no array that can be read",
    }.items():
        with pytest.raises(InputError, match=message):
            prediction._read(tmp_path / name, (1, 8, 8))


@pytest.mark.parametrize(
    ("search", "scheduler", "space", "message"),
    [
        ("gird", "asha", {}, "--search 'gird' is unknown; did you mean grid"),
        ("random", "ahsa", {}, "--scheduler 'ahsa' is unknown; did you mean asha"),
        ("grid", "none", {}, "learning_rate is a range"),
        ("hyperopt", "pbt", {}, "use it with --search random"),
        ("random", "pb2", {}, "pb2 moves ranges of numbers, and batch_size is none"),
        ("cmaes", "none", {"learning_rate": 0.1, "momentum": 0.9, "dropout": 0.0}, "at least two of them"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(
    search: str, scheduler: str, space: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make_tuning(digits_mlp.STUDY, Options(search=search, scheduler=scheduler, fixed=space))
