"""Examples that are read while training: the same as in memory, in an order of the seed, and resumed exactly."""

import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from examples import streaming
from tautune.search_spaces.data import Data
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.continuing import CONTINUES
from tautune.trainables.supervised.sources import source_of
from tautune.trainables.supervised.supervised_training import SupervisedTraining
from tautune.trainables.supervised.tasks import TASKS
from tautune.trainables.supervised.trial import SupervisedTrial
from tests.trainables.supervised.test_exact_resume import alike

DRAW = torch.Generator().manual_seed(0)
X = torch.randn(60, 4, generator=DRAW)
Y = X.sum(dim=1)
HELD_OUT = TensorDataset(X[:20], Y[:20])
CONFIG: dict[str, Any] = {"layers": 0, "learning_rate": 0.05, "batch_size": 16, "delay": 1, "optimizer": "sgd"}


class Noisy(TensorDataset):
    """Draws from every generator that a Dataset may draw from."""

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        noise = random.random() + np.random.rand() + torch.rand(()).item()
        return X[number] + 0.1 * noise, Y[number]

    def __getitems__(self, numbers: list[int]) -> list[tuple[Tensor, Tensor]]:
        return [self[number] for number in numbers]


class Told:
    """An iterable which depends on the number of the pass alone."""

    def __init__(self) -> None:
        self.epoch = -1

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in torch.arange(60).roll(7 * self.epoch).split(20):
            yield X[batch], Y[batch]


def of_iterable(iterable: Any) -> Data:
    return Data(training=iterable, validation=DataLoader(HELD_OUT, batch_size=7), test=DataLoader(HELD_OUT))


def training_of(data: Data, seed: int = 0, model: Any = "mlp", config: dict[str, Any] = CONFIG) -> SupervisedTraining:
    source = source_of(data.train, data.division or (torch.arange(60), torch.arange(0)))
    return SupervisedTraining(model, config, source, outputs=1, horizon=4, seed=seed, task=TASKS["regression"])


def with_dropout(shape: tuple[int, ...], outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(shape[0], 8), nn.Dropout(0.5), nn.Linear(8, outputs))


KINDS = {
    "loader": lambda: of_iterable(DataLoader(Noisy(X, Y), batch_size=16, shuffle=True)),
    "seeded": lambda: of_iterable(DataLoader(Noisy(X, Y), batch_size=16, shuffle=True, generator=torch.Generator())),
    "told": lambda: of_iterable(Told()),
    "dataset": lambda: Data(training=Noisy(X, Y), validation=HELD_OUT, test=HELD_OUT),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_goes_on_bit_for_bit_and_each_pass_has_another_order(kind: str) -> None:
    config = {"learning_rate": 0.05, "optimizer": "sgd", "delay": 2, "batch_size": 16}
    whole, other = (training_of(KINDS[kind](), seed=seed, model=with_dropout, config=config) for seed in (0, 1))
    losses = [whole.train_epoch().loss]
    whole.validate()
    torch.save(whole.state_dict(), buffer := io.BytesIO())
    losses.append(whole.train_epoch().loss)
    expected = whole.validate(), whole.state_dict()
    buffer.seek(0)
    random.seed(77)  # another process has other generators
    np.random.seed(77)
    torch.manual_seed(77)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert other.train_epoch().loss == losses[1] != losses[0]
    assert other.validate() == expected[0]
    assert alike(other.state_dict(), expected[1])


def test_a_dataset_trains_as_its_tensors_do() -> None:
    tensors = training_of(Data(training=(X, Y), test=(X, Y)))
    dataset = training_of(Data(training=TensorDataset(X, Y), test=TensorDataset(X, Y)))
    for name in ("normalize", "scale"):  # which a dataset has not
        setattr(tensors, name, getattr(dataset, name))
    for _ in range(3):
        assert tensors.train_epoch().loss == pytest.approx(dataset.train_epoch().loss, rel=1e-6)
    for ours, theirs in zip(tensors.model.parameters(), dataset.model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_loader_trains_as_a_plain_loop_over_it_does() -> None:
    loader = DataLoader(TensorDataset(X, Y), batch_size=16)
    training = training_of(of_iterable(loader), config=CONFIG | {"delay": 0})
    twin = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    twin.load_state_dict(training.model.state_dict())
    optimizer = torch.optim.SGD(twin.parameters(), 0.05)
    assert training.train_epoch().steps == 4
    for inputs, targets in loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(twin(inputs).squeeze(1), targets).backward()
        optimizer.step()
    for ours, theirs in zip(training.model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
    error = (twin(X[:20]).squeeze(1) - Y[:20]).square().mean().sqrt()
    assert training.validate().metrics["rmse"] == pytest.approx(error.item(), rel=1e-5)


def trial_of(data: Any, config: dict[str, Any] = CONFIG) -> SupervisedTrial:
    study = TuningStudy(name="own", description="", data=data, model="mlp", task="regression", space=config)
    trial = SupervisedTrial.__new__(SupervisedTrial)
    division = [(numbers.numpy(), held_out.numpy()) for numbers, held_out in [data().division]]
    shared = {
        "study": study,
        "splits": division,
        "classes": 1,
        "max_epochs": 3,
        "device": "cpu",
        "seed": 0,
        "threads": 1,
    }
    trial.setup(config, **shared, read=lambda path: Path(path).read_bytes())
    return trial


def test_a_trial_loads_the_data_itself_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    whole = trial_of(KINDS["loader"])
    results = [whole.step()]
    whole.save_checkpoint(str(tmp_path))
    results += [whole.step(), whole.step()]
    resumed = trial_of(KINDS["loader"])
    resumed.reset_config(CONFIG | {CONTINUES: {"checkpoint": str(tmp_path), "epochs": 1}})
    for expected in results[1:]:
        assert resumed.step()["scores"] == expected["scores"]
    assert results[-1]["done"]
    assert set(results[0]["scores"]) == set(TASKS["regression"].goal.scores or ())


class Lying(TensorDataset):
    def __getitem__(self, number: int) -> Any:
        if number == 30:
            raise IndexError
        return X[number], Y[number]

    __getitems__ = None


@pytest.mark.parametrize(
    ("data", "config", "message"),
    [
        (
            lambda: Data(training=Lying(X, Y), validation=HELD_OUT, test=HELD_OUT),
            {},
            "ValueError: the data set says that it has 80 examples, and raises IndexError at number 30",
        ),
        (
            lambda: of_iterable(DataLoader(TensorDataset(X / (torch.arange(60) != 40)[:, None], Y), batch_size=16)),
            {},
            "ValueError: batch 3 of the training iterable has inputs that are NaN or infinite",
        ),
        (
            lambda: of_iterable(DataLoader(TensorDataset(X, Y))),
            {"layers": 1, "batch_norm": True},
            "ValueError: every batch has one example, which batch normalization cannot take",
        ),
    ],
)
def test_what_is_wrong_in_the_middle_is_the_finite_result_of_a_trial(data: Any, config: Any, message: str) -> None:
    result = trial_of(data, CONFIG | config).step()
    assert result["failure"].strip().splitlines()[-1] == message
    assert (result["failed"], result["done"], result["validation_rmse"]) == (1, True, 1e3)


def test_a_regression_that_diverges_has_a_finite_result() -> None:
    result = trial_of(KINDS["loader"], CONFIG | {"learning_rate": 1e30}).step()
    assert (result["diverged"], result["done"]) == (1, True)
    assert all(np.isfinite(value) for value in result["scores"].values())


def test_the_example_learns() -> None:
    torch.manual_seed(0)
    data = streaming.data()
    small = Data(
        training=DataLoader(streaming.Pendulums(0, 100), batch_size=25, shuffle=True),
        validation=DataLoader(streaming.Pendulums(9000, 50), batch_size=50),
        test=DataLoader(streaming.Pendulums(9000, 50), batch_size=50),
    )
    assert small.shape == data.shape == (1, 32, 32)
    source = source_of(small.train, small.division or (torch.arange(0), torch.arange(0)))
    config = {"learning_rate": 0.02, "channels": 4, "delay": 1}
    task = streaming.STUDY.of_task
    training = SupervisedTraining(streaming.model, config, source, outputs=1, horizon=8, seed=0, task=task)
    before = training.validate().metrics["rmse"]
    for _ in range(8):
        training.train_epoch()
    assert training.validate().metrics["rmse"] < 0.6 * before
