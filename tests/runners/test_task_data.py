"""What a study's data, task and model do not agree on is said in one line, before Ray starts."""

from typing import Any

import pytest
import torch
from ray import tune
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tautune.records.errors import InputError
from tautune.runners.tuning import plan_tuning
from tautune.runners.tuning_checks import Options
from tautune.runners.tuning_data import make_splits
from tautune.runners.tuning_job import make_tuning
from tautune.search_spaces.data import Data
from tautune.search_spaces.tuning_study import TuningStudy
from tests.trainables.supervised.test_tasks import LINE, SERIES, WORDS, letters, recurrent

LOADER = DataLoader(TensorDataset(torch.randn(20, 3), torch.randn(20)), batch_size=5)
STREAM = Data(training=LOADER, validation=LOADER, test=LOADER)


def wide(shape: tuple[int, ...], outputs: int) -> nn.Module:
    return nn.Linear(shape[0], outputs + 1)


def study(data: Any, task: str = "regression", model: Any = "mlp", **space: Any) -> TuningStudy:
    return TuningStudy(name="own", description="", data=lambda: data, model=model, task=task, space=space)


WRONG: dict[str, tuple[TuningStudy, dict[str, Any], str]] = {
    "data": (study(3), {}, "its data must be an ImageData, a Data, a Series or a Text, not int"),
    "task": (study(SERIES), {}, "the study own: its data: the task forecasting takes a tautune.Series"),
    "outputs": (study(LINE, model=wide), {}, r"returns outputs of shape \(8, 2\), and the targets .* shape \(8,\)"),
    "tokens": (study(WORDS, "language"), {}, "the model of own or the loss fails: RuntimeError: mat1 and mat2"),
    "window": (
        study(SERIES, "forecasting", recurrent, window=tune.randint(5, 300)),
        {},
        "the steps of own cannot be divided so: window must be at most 285, not 299: there are 288 steps to train on",
    ),
    "first fold": (
        study(SERIES, "forecasting", recurrent, window=80),
        {"folds": 5},
        "window must be at most 57, not 80: there are 60 steps to train on",
    ),
    "repeats": (study(SERIES, "forecasting", recurrent), {"repeats": 2}, "repeats must be 1: the order of time"),
    "no steps": (
        study(LINE, window=3),
        {},
        "window is a hyperparameter of a Series or a Text, and its data are neither",
    ),
    "batches": (study(STREAM, batch_size=8), {}, "batch_size must be left out: an iterable brings its own batches"),
    "folds": (study(STREAM), {"folds": 3}, "folds must be left out: the data come with validation examples of their"),
    "examples": (study(STREAM), {"examples": 3}, "examples must be left out: an iterable is passed over as a whole"),
    "many folds": (study(LINE), {"folds": 101}, "the examples of own cannot be divided so: there are 100 examples for"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_agree_is_said(name: str) -> None:
    own, options, message = WRONG[name]
    with pytest.raises(InputError, match=message):
        plan_tuning(make_tuning(own, Options(**options)))


def test_a_regression_has_folds_and_fewer_examples_by_its_seed() -> None:
    tuning = make_tuning(study(LINE), Options(folds=5, repeats=2, examples=30, split_seed=3))
    found = make_splits(tuning, LINE)
    assert len(found) == 10
    for training, validation in found:
        assert (len(training), len(validation)) == (30, 20)
        assert not set(training.tolist()) & set(validation.tolist())
    again = make_splits(tuning, LINE)
    assert all(torch.equal(one[0], other[0]) for one, other in zip(found, again, strict=True))
    assert sorted(int(number) for _, validation in found[:5] for number in validation) == list(range(100))


def test_folds_of_a_series_walk_forward() -> None:
    found = make_splits(make_tuning(study(SERIES, "forecasting", recurrent), Options(folds=3, examples=100)), SERIES)
    for training, validation in found:
        assert int(training[-1]) + 1 == int(validation[0])
        assert len(training) <= 100
    assert [int(validation[0]) for _, validation in found] == [90, 180, 270]
    assert int(found[-1][1][-1]) == 359


def test_a_language_model_and_a_stream_are_planned() -> None:
    plan_tuning(make_tuning(study(WORDS, "language", letters, window=tune.choice([8, 30])), Options()))
    plan_tuning(make_tuning(study(STREAM), Options()))
