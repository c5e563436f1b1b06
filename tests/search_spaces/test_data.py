"""What is refused of a task's data, before anything runs."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from tautune.search_spaces.data import Data
from tautune.search_spaces.sequences import Series, Text
from tautune.search_spaces.task_data import outputs_for
from tautune.trainables.supervised.datasets import ImageData, Images
from tautune.trainables.supervised.tasks import TASKS, Task

X, Y = torch.randn(10, 3), torch.randn(10)
PAIR = (X, Y)


class Lying:
    """Says that it has ten examples, and has eight."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        return X[:8][number], Y[number]


class Batches:
    """An iterable that can be passed over again."""

    def __init__(self, *batches: Any) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(())


GOOD = Batches(PAIR, PAIR)
WRONG: dict[str, tuple[Any, str]] = {
    "kind": ({"training": 3}, "training must be a pair .* a map-style Dataset, or an iterable of batches, not a int"),
    "lengths": ({"training": (X, Y[:9])}, "there are 10 images, but 9 targets"),
    "none": ({"training": (X[:0], Y[:0])}, "there are no training examples"),
    "nan": (
        {"training": (X, torch.where(torch.arange(10) == 4, math.nan, Y))},
        "targets must be finite .* example 4 is",
    ),
    "shape": ({"test": (X[:, :2], Y)}, r"test inputs must have the training inputs' shape \(3,\), not \(2,\)"),
    "targets": ({"test": (X, X)}, r"test targets must have the training targets' shape \(\), not \(3,\)"),
    "columns": ({"columns": ("a",)}, "columns must be the 3 names of an input, not 1"),
    "lying": ({"training": Lying()}, "says that it has 10 examples, and raises IndexError at number 9"),
    "mixed": ({"training": TensorDataset(X, Y)}, "must be of one kind: tensors, Datasets or iterables"),
    "once": ({"training": iter([PAIR])}, "training can be passed over only once; give something"),
    "examples": ({"training": Endless()}, "training is an IterableDataset, .*; give a DataLoader of it"),
    "undivided": ({"training": GOOD, "test": GOOD}, "validation must be given with an iterable"),
    "empty": ({"training": Batches()}, "the training iterable yields no batch in pass 1"),
    "no pair": ({"training": Batches(X)}, "batch 1 of the training iterable must be a pair .*, not a Tensor"),
    "unequal": ({"training": Batches((X, Y[:3]))}, "batch 1 of the training iterable must have as many inputs as"),
    "infinite": ({"training": Batches((X / 0, Y))}, "batch 1 of the training iterable has inputs that are NaN or"),
    "text": ({"training": Batches((["a"] * 3, Y[:3]))}, "batch 1 of the training iterable must be tensors, not list"),
    "tokens": (
        {"training": (X.long() + 9, Y), "vocabulary": 10},
        "training inputs must have token ids from 0 to 9, the vocabulary's; there is 1",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_data_that_would_spoil_a_training_are_refused(name: str) -> None:
    given, message = WRONG[name]
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=message):
        Data(**({"training": PAIR, "test": PAIR} | given))


SEQUENCES: dict[str, tuple[Any, str]] = {
    "horizon": ({"horizon": 0}, "horizon must be an integer of at least 1, not 0"),
    "nan": ({"training": torch.tensor([1.0, math.nan])}, "training must be finite numbers; step 1 is not"),
    "channels": ({"test": torch.zeros(9, 2)}, "test must have 1 channels, not 2"),
    "short": ({"test": torch.zeros(2)}, "test must have at least 3 steps, the horizon, not 2"),
    "kind": ({"training": [1.0]}, "training must be a torch.Tensor, not list"),
    "names": ({"columns": ("a", "b")}, "columns must be 1 names, or none, not 2"),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_series_that_would_spoil_a_training_are_refused(name: str) -> None:
    given, message = SEQUENCES[name]
    with pytest.raises(ValueError, match=message):
        Series(**({"training": torch.zeros(50), "test": torch.zeros(9), "horizon": 3} | given))


def test_texts_have_tokens_of_the_vocabulary() -> None:
    tokens = torch.arange(20)
    with pytest.raises(ValueError, match="test must have token ids from 0 to 19, the vocabulary's; there is 20"):
        Text(training=tokens, test=tokens + 1, vocabulary=20)
    with pytest.raises(ValueError, match="symbols must be 20 characters, or none, not 2"):
        Text(training=tokens, test=tokens, vocabulary=20, symbols="ab")
    with pytest.raises(ValueError, match=r"training must be ids of tokens \[T\], not torch.float32"):
        Text(training=tokens.float(), test=tokens)
    assert Text(training=tokens, test=tokens).vocabulary == 256


def test_a_window_longer_than_the_steps_is_refused() -> None:
    series = Series(training=torch.zeros(50), test=torch.zeros(9), horizon=3)
    steps = torch.arange(50)
    series.train.cut(37).check_division(steps[:40], steps[40:])
    with pytest.raises(ValueError, match="window must be at most 37, not 38: there are 40 steps to train on, and an"):
        series.train.cut(38).check_division(steps[:40], steps[40:])
    with pytest.raises(ValueError, match="there are 2 steps to validate, and an example takes 3"):
        series.train.check_division(steps[:48], steps[48:])


def test_forecasts_are_of_the_same_steps_for_every_window_and_never_of_steps_trained_on() -> None:
    series = Series(training=torch.arange(50.0), test=torch.zeros(9), horizon=3)
    steps = torch.arange(50)
    for window in (1, 5, 20):
        examples = series.train.cut(window)
        trained = next(examples.parts([examples.to_train(steps[:40])]))
        assert trained.pixels.shape[1:] == (window, 1)
        assert trained.targets.max() == 39
        assert len(trained) == 40 - window - 3 + 1
        validated = next(examples.parts([examples.to_validate(steps[40:])]))
        assert validated.targets[:, :, 0].tolist() == [[t, t + 1, t + 2] for t in range(40, 48)]
        assert validated.pixels[:, -1, 0].tolist() == list(range(39, 47))


def test_a_pass_over_a_text_sees_each_token_once() -> None:
    text = Text(training=torch.arange(100), test=torch.arange(9), window=7).train
    for moved in range(text.room(torch.arange(100))):
        blocks = next(text.parts([text.to_train(torch.arange(100), moved)]))
        assert torch.equal(blocks.targets, blocks.pixels + 1)
        assert blocks.pixels.flatten().tolist() == list(range(moved, moved + 7 * ((99 - moved) // 7)))


def test_what_a_task_takes_and_how_many_outputs_it_has() -> None:
    series = Series(training=torch.zeros(50, 2), test=torch.zeros(9, 2), horizon=3)
    text = Text(training=torch.arange(9), test=torch.arange(9))
    classes = Data(training=(X, torch.arange(10)), test=(X, torch.arange(10)))
    matrix = Data(training=(X, X), test=(X, X))
    images = ImageData(Images(X, torch.arange(10)), Images(X, torch.arange(10)))
    stream = Data(training=GOOD, validation=GOOD, test=GOOD)
    own = Task(loss=torch.nn.functional.mse_loss, outputs=7)
    assert [outputs_for(TASKS["forecasting"], series), outputs_for(TASKS["language"], text)] == [6, 256]
    assert [outputs_for(TASKS["classification"], each) for each in (classes, images)] == [10, 10]
    assert [outputs_for(TASKS["regression"], each) for each in (matrix, stream)] == [3, 1]
    assert outputs_for(own, matrix) == outputs_for(own, series) == 7
    loader = DataLoader(TensorDataset(X, torch.arange(10)), batch_size=5)
    tokens = Data(training=loader, validation=loader, test=loader)
    for task, data, message in (
        ("regression", series, "the task forecasting takes a tautune.Series, and no other built-in task does"),
        ("forecasting", matrix, "the task forecasting takes a tautune.Series"),
        ("classification", matrix, "targets must be classes 0, 1, 2 … for the task classification, not torch.float32"),
        ("classification", text, "a tautune.Text is for the task language"),
        ("regression", images, "the task regression takes a tautune.Data"),
        ("classification", tokens, "classes must be given with examples that are no tensors"),
        ("language", tokens, "vocabulary must be given with tokens that are no tensors"),
    ):
        with pytest.raises(ValueError, match=message):
            outputs_for(TASKS[task], data)
