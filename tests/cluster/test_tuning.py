"""Tuning as a whole, with the real searches and schedulers, on a real local Ray."""

import csv
import io
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ray import tune
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cluster import searching, tuning
from cluster.errors import InputError, RunFailed
from cluster.tuning import Tuning, run_tuning
from search_spaces import digits_mlp
from search_spaces.study import TuningStudy
from trainables import datasets
from trainables.classifier import DIVERGED_VALIDATION_LOSS, ClassifierTrial

SMALL = TuningStudy(
    name="small",
    description="",
    data="digits",
    model="mlp",
    space={
        "learning_rate": tune.loguniform(1e-2, 1e-1),
        "momentum": tune.uniform(0.5, 0.95),
        "units": tune.choice([8, 32]),
        "optimizer": "nesterov",
    },
)
GRID = replace(SMALL, space={"learning_rate": tune.choice([1e-2, 1e-1]), "units": tune.choice([8, 16]), "delay": 2})
EXPLOSIVE = replace(SMALL, space={"learning_rate": tune.choice([1e-2, 1e8]), "optimizer": "sgd"})


def job(study: TuningStudy, search: str, scheduler: str, **options: Any) -> Tuning:
    defaults: dict[str, Any] = {"trials": 4, "max_epochs": 3}
    return Tuning(study=study, search=search, scheduler=scheduler, **defaults | options)


def run(job: Tuning, output: Path) -> tuple[dict[str, Any], str]:
    text = io.StringIO()
    best = run_tuning(job, output, console=Console(file=text, width=200), started=time.monotonic())
    return best, text.getvalue()


def rows_of(output: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((output / "trials.csv").open()))


COMBINATIONS = [
    ("grid", "none"),
    ("random", "none"),
    ("random", "pbt"),
    ("random", "median"),
    ("random", "hyperband"),
    ("hyperopt", "asha"),
]


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize(("search", "scheduler"), COMBINATIONS)
def test_every_search_and_scheduler_ends_with_a_best_that_it_saw(search: str, scheduler: str, tmp_path: Path) -> None:
    best, printed = run(job(GRID if search == "grid" else SMALL, search, scheduler), tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert len(rows) == 4
    accuracies = [float(row["validation_accuracy"]) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert best["validation_accuracy"] == accuracies[0] > 0.5
    assert json.loads((tmp_path / "out" / "best.json").read_text()) == best
    assert "best configurations" in printed
    if search == "grid":
        assert {(row["learning_rate"], row["units"]) for row in rows} == {
            (rate, units) for rate in ("0.01", "0.1") for units in ("8", "16")
        }
    if scheduler == "pbt":
        assert all(0.5 <= float(row["momentum"]) <= 0.95 for row in rows)
    for row in rows:
        curves = EventAccumulator(str(tmp_path / "out" / "trials" / row["trial"])).Reload()
        assert "ray/tune/validation_accuracy" in curves.Tags()["scalars"]


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize(("search", "scheduler"), [("random", "asha"), ("random", "pbt"), ("hyperopt", "none")])
def test_a_diverged_trial_ends_at_once_and_is_never_the_best(search: str, scheduler: str, tmp_path: Path) -> None:
    options = {"trials": 8, "max_epochs": 4, "seed": 1}
    best, _ = run(job(EXPLOSIVE, search, scheduler, **options), tmp_path / "out")
    assert best["config"]["learning_rate"] == 1e-2
    diverged = [row for row in rows_of(tmp_path / "out") if row["diverged"] == "1"]
    assert diverged
    for row in diverged:
        assert row["epochs"] == "1"
        assert float(row["validation_loss"]) == DIVERGED_VALIDATION_LOSS
        assert float(row["validation_accuracy"]) == 0
    assert all(np.isfinite(float(row["training_loss"])) for row in rows_of(tmp_path / "out"))


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_refit_uses_all_training_images_and_the_test_images_once(tmp_path: Path) -> None:
    best, _ = run(job(SMALL, "random", "none", trials=2, max_epochs=5), tmp_path / "out")
    test = tuning.refit(tmp_path / "out", data_dir=None, console=Console(file=io.StringIO()))
    assert test["training_images"] == 1437
    assert test["test_images"] == 360
    assert test["test_accuracy"] > 0.5
    model = torch.load(tmp_path / "out" / "model.pt", weights_only=True)
    train = datasets.load("digits").train
    assert model["config"] == best["config"]
    torch.testing.assert_close(model["classifier"]["mean"], datasets.Normalization.of(train).mean)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_resources_that_no_node_has_are_told_at_the_start_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="asks for 1000 CPU and 0 GPU; the largest node has"):
        run(job(SMALL, "random", "none", cpus_per_trial=1000), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_time_budget_ends_with_the_best_so_far(tmp_path: Path) -> None:
    begun = time.monotonic()
    best, _ = run(job(SMALL, "random", "none", trials=500, max_epochs=400, time_budget=12), tmp_path / "out")
    assert time.monotonic() - begun < 60
    assert best["validation_accuracy"] > 0.5
    assert len(rows_of(tmp_path / "out")) < 500


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_where_everything_diverges_there_is_no_best(tmp_path: Path) -> None:
    study = replace(EXPLOSIVE, space={"learning_rate": 1e8, "optimizer": "sgd"})
    with pytest.raises(RunFailed, match="every trial diverged"):
        run(job(study, "random", "none", trials=2), tmp_path / "out")
    assert len(rows_of(tmp_path / "out")) == 2


def make_trial(config: dict[str, Any], **changes: Any) -> ClassifierTrial:
    train = datasets.load("digits").train
    split = datasets.stratified_split(train.targets, 0.2, seed=0)
    shared: dict[str, Any] = {
        "data": (train.pixels.numpy(), train.targets.numpy()),
        "split": tuple(s.numpy() for s in split),
        "model": "mlp",
        "max_epochs": 3,
        "device": "cpu",
        "seed": 0,
        "threads": 1,
    }
    trial = ClassifierTrial.__new__(ClassifierTrial)
    trial.setup(config, **shared | changes)
    return trial


def measured(result: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in result.items() if k not in ("epoch_seconds", "examples_per_second")}


def test_a_trial_that_was_reset_is_as_good_as_new() -> None:
    used = make_trial({"learning_rate": 0.1, "units": 64, "batch_norm": True, "optimizer": "adam", "delay": 3})
    used.step()
    used.reset_config({"learning_rate": 0.01, "units": 16})
    new = make_trial({"learning_rate": 0.01, "units": 16})
    assert [measured(used.step()) for _ in range(2)] == [measured(new.step()) for _ in range(2)]


def test_a_trial_continues_bit_for_bit_from_its_checkpoint(tmp_path: Path) -> None:
    config = {"learning_rate": 0.01, "units": 16, "dropout": 0.0, "optimizer": "nesterov", "delay": 4}
    whole = make_trial(config)
    whole.step()
    whole.save_checkpoint(str(tmp_path))
    resumed = make_trial(config)
    resumed.load_checkpoint(str(tmp_path))
    assert measured(resumed.step()) == measured(whole.step())


def test_another_trials_checkpoint_keeps_this_trials_learning_rate(tmp_path: Path) -> None:
    """Population-based training copies the weights, not the hyperparameters."""
    donor, heir = make_trial({"learning_rate": 0.01}), make_trial({"learning_rate": 0.002, "momentum": 0.5})
    donor.step()
    donor.save_checkpoint(str(tmp_path))
    heir.load_checkpoint(str(tmp_path))
    (group,) = heir.classifier.optimizer.param_groups
    assert group["lr"] == 0.002
    assert group["betas"] == (0.5, 0.999)
    assert heir.classifier.epochs == 1


def test_a_trial_never_sees_the_test_images() -> None:
    """What a trial is given are training images alone, and its two halves are disjoint parts of those."""
    data = datasets.load("digits")
    trial = make_trial({})
    held = {bytes(image.numpy()) for image in data.test.pixels}
    given = [bytes(image.numpy()) for part in (trial.training, trial.validation) for image in part.pixels]
    assert len(given) == 1437
    assert sorted(given) == sorted(bytes(image.numpy()) for image in data.train.pixels)
    assert not held & set(given)


def test_spaces_are_checked_when_they_are_written() -> None:
    with pytest.raises(ValueError, match="hyperparameter 'learning_rat' is unknown; nearest: learning_rate"):
        replace(SMALL, space={"learning_rat": 1})
    with pytest.raises(ValueError, match="hyperparameter 'channels' is unknown"):
        replace(SMALL, space={"channels": 8})
    with pytest.raises(ValueError, match="model 'mpl' is unknown; nearest: mlp"):
        replace(SMALL, model="mpl")
    with pytest.raises(ValueError, match="data 'digit' is unknown; nearest: digits"):
        replace(SMALL, data="digit")


@pytest.mark.parametrize(
    ("search", "scheduler", "message"),
    [
        ("gird", "asha", "--search must be one of grid, random, hyperopt, not 'gird'"),
        ("random", "ahsa", "--scheduler must be one of none, asha, hyperband, median, pbt, not 'ahsa'"),
        ("grid", "none", "learning_rate is a range"),
        ("hyperopt", "pbt", "use it with --search random"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(search: str, scheduler: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        searching.check(search, scheduler, digits_mlp.STUDY.space)
