"""What each task lowers and measures, against scikit-learn, torchmetrics and hand computation."""

import io
import math
from typing import Any

import numpy as np
import pytest
import torch
import torchmetrics.functional
from sklearn import metrics
from torch import Tensor, nn

from tautune.search_spaces.data import Data
from tautune.search_spaces.sequences import Series, Text
from tautune.search_spaces.task_data import AnyData, outputs_for
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.goal import ACCURACY, goal_in
from tautune.trainables.supervised import tasks
from tautune.trainables.supervised.sources import source_of
from tautune.trainables.supervised.supervised_training import SupervisedTraining
from tautune.trainables.supervised.tasks import TASKS, Task
from tests.trainables.supervised.test_exact_resume import alike

DRAW = torch.Generator().manual_seed(0)
INPUTS = torch.randn(120, 3, generator=DRAW)
TARGETS = 400 + 50 * (INPUTS @ torch.tensor([1.0, -2.0, 0.5])) + torch.randn(120, generator=DRAW)
LINE = Data(training=(INPUTS[:100], TARGETS[:100]), test=(INPUTS[100:], TARGETS[100:]))
WAVE = torch.sin(torch.arange(400) / 5) * 30 + 100
SERIES = Series(training=WAVE[:360], test=WAVE[360:], horizon=3, window=12)
WORDS = Text(
    training=torch.tensor(list(b"to be or not to be. " * 60)), test=torch.tensor(list(b"to be or not.")), window=16
)


def recurrent(shape: tuple[int, ...], outputs: int, *, width: int = 16) -> nn.Module:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(shape[1], width, batch_first=True), nn.Linear(width, outputs)

        def forward(self, inputs: Tensor) -> Tensor:
            forecast: Tensor = self.head(self.lstm(inputs)[0][:, -1])
            return forecast

    return Last()


def letters(shape: tuple[int, ...], outputs: int, *, width: int = 16, vocabulary: int) -> nn.Module:
    """Looks at the last two tokens, as no attention is needed to see that training goes down."""

    class Pairs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Embedding(vocabulary, width), nn.Embedding(vocabulary, width)
            self.head, self.dropout = nn.Linear(width, outputs), nn.Dropout(0.1)

        def forward(self, tokens: Tensor) -> Tensor:
            before = nn.functional.pad(self.two(tokens), (0, 0, 1, 0))[:, :-1]
            logits: Tensor = self.head(self.dropout(self.one(tokens) + before))
            return logits

    return Pairs()


def training_of(task: str, data: AnyData, model: Any, config: dict[str, Any], seed: int = 0) -> SupervisedTraining:
    steps = torch.arange(len(data.train))
    cut = int(0.8 * len(steps))
    source = source_of(data.train, (steps[:cut], steps[cut:]), window=config.get("window"))
    outputs = outputs_for(TASKS[task], data)
    return SupervisedTraining(
        model, config, source, outputs=outputs, horizon=8, seed=seed, task=TASKS[task], vocabulary=data.vocabulary
    )


CASES: dict[str, tuple[AnyData, Any, dict[str, Any]]] = {
    "regression": (LINE, "mlp", {"layers": 0, "learning_rate": 0.1, "batch_size": 16}),
    "forecasting": (SERIES, recurrent, {"learning_rate": 0.02, "window": 20}),
    "language": (WORDS, letters, {"learning_rate": 0.05, "batch_size": 8}),
}


@pytest.mark.parametrize("name", CASES)
def test_training_goes_down_and_reports_the_metrics_of_the_task(name: str) -> None:
    data, model, config = CASES[name]
    training = training_of(name, data, model, config)
    task = TASKS[name]
    first = training.validate()
    for _ in range(8):
        epoch = training.train_epoch()
    last = training.validate()
    assert {"loss", *last.metrics} == set(task.names)
    assert last.metrics[task.metric] < 0.5 * first.metrics[task.metric]
    assert epoch.loss < first.loss
    assert epoch.accuracy == 0


@pytest.mark.parametrize("name", CASES)
def test_a_training_goes_on_bit_for_bit(name: str) -> None:
    data, model, config = CASES[name]
    config = config | {"delay": 2, "schedule": "cosine"}
    whole, other = (training_of(name, data, model, config, seed=seed) for seed in (0, 1))
    whole.train_epoch()
    state = whole.state_dict()
    torch.save(state, buffer := io.BytesIO())
    whole.train_epoch()
    expected = whole.validate(), whole.state_dict()
    buffer.seek(0)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    other.train_epoch()
    assert other.validate() == expected[0]
    assert alike(other.state_dict(), expected[1])


def test_a_regression_finds_the_least_squares_line_in_the_users_units() -> None:
    config = {"layers": 0, "optimizer": "nesterov", "learning_rate": 0.1, "batch_size": 80}
    training = training_of("regression", LINE, "mlp", config)
    for _ in range(150):
        training.train_epoch()
    x, y = (tensor.double().numpy() for tensor in (INPUTS[:100], TARGETS[:100]))
    solution, *_ = np.linalg.lstsq(np.c_[x[:80], np.ones(80)], y[:80])
    predicted = np.c_[x[80:], np.ones(20)] @ solution
    assert training.validate().metrics["rmse"] == pytest.approx(
        metrics.root_mean_squared_error(y[80:], predicted), rel=1e-3
    )


@pytest.mark.parametrize("shape", [(50,), (50, 1), (50, 3)])
def test_metrics_are_those_of_scikit_learn(shape: tuple[int, ...]) -> None:
    targets = 10 + 3 * torch.randn(shape, generator=DRAW)
    predictions = targets + torch.randn(shape, generator=DRAW)
    truth, guess = targets.double().numpy(), predictions.double().numpy()
    found = TASKS["regression"].measured(0.0, predictions, targets)
    assert found["rmse"] == pytest.approx(math.sqrt(metrics.mean_squared_error(truth, guess)))
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(truth, guess))
    assert found["r2"] == pytest.approx(metrics.r2_score(truth, guess))


def test_bits_per_byte_are_those_of_a_uniform_guess() -> None:
    loss = tasks.token_loss(torch.zeros(2, 5, 256), torch.randint(256, (2, 5), generator=DRAW))
    assert tasks.bits(loss.item()) == pytest.approx(8)


def test_a_column_of_outputs_is_not_broadcast_over_targets() -> None:
    task, targets = TASKS["regression"], torch.arange(4.0)
    assert task.loss(task.shaped(targets[:, None], targets), targets).item() == 0
    with pytest.raises(ValueError, match=r"outputs of shape \(4, 2\), and the targets of the batch have shape \(4,\)"):
        task.shaped(torch.zeros(4, 2), targets)
    with pytest.raises(ValueError, match=r"there must be logits \[vocabulary\] for each token"):
        tasks.token_loss(torch.zeros(2, 9), torch.zeros(2, 5, dtype=torch.long))


def test_a_task_of_ones_own_is_measured_by_any_function_of_predictions_and_targets() -> None:
    task = Task(
        loss=nn.functional.smooth_l1_loss,
        metrics={"explained": torchmetrics.functional.explained_variance},
        metric="explained",
        mode="max",
        standardize=True,
    )
    assert task.goal.metric == "validation_explained"
    assert task.worst == -1e6
    source = source_of(LINE.train, (torch.arange(80), torch.arange(80, 100)))
    training = SupervisedTraining("mlp", {"learning_rate": 0.05}, source, outputs=1, horizon=5, seed=0, task=task)
    for _ in range(10):
        training.train_epoch()
    assert training.validate().metrics["explained"] > 0.9


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_the_goal_of_a_task_is_found_in_run_json(task: Task) -> None:
    assert goal_in(task.described()) == task.goal
    assert (task.goal == ACCURACY) == (task.name == "classification")
    assert task.goal.metric in (task.goal.scores or ())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"loss": 3}, "loss must be a function, not a int"),
        ({"metrics": [1]}, "metrics must be a dict, name → function, not a list"),
        ({"metrics": {"a b": abs}}, "metrics must be names"),
        ({"metric": "rsme"}, "metric must be one of loss, not 'rsme'"),
        ({"mode": "least"}, "mode must be max or min, not 'least'"),
        ({"penalty": math.inf}, "penalty must be a finite number of at least 0, not inf"),
    ],
)
def test_what_is_wrong_with_a_task_is_said(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Task(**({"loss": nn.functional.mse_loss} | values))


def test_what_is_wrong_with_a_studys_task_is_said() -> None:
    given: dict[str, Any] = {"name": "a", "description": "", "data": lambda: LINE, "model": "mlp", "space": {}}
    with pytest.raises(ValueError, match="task 'regresion' is unknown; did you mean regression?"):
        TuningStudy(**given, task="regresion")
    with pytest.raises(ValueError, match=r"task must be a tautune.Task, or one of .*, not a int"):
        TuningStudy(**given, task=3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="task must not be called classification"):
        TuningStudy(**given, task=Task(loss=nn.functional.cross_entropy, name="classification"))
