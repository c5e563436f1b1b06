"""Hypergradients, against closed forms, finite differences, and the training that they unroll."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tautune.trainables.supervised.datasets import Images
from tautune.trainables.supervised.hypergradient import hypergradient, unrolled, validation_loss
from tautune.trainables.supervised.hyperparameters import DIFFERENTIABLE, of_training
from tautune.trainables.supervised.sources import source_of
from tautune.trainables.supervised.supervised_training import SupervisedTraining
from tautune.trainables.supervised.tasks import CLASSIFICATION, Task

SQUARED = Task(loss=lambda outputs, targets: (outputs - targets).square().mean() / 2)


@pytest.fixture(autouse=True)
def _double() -> Any:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class InDouble(nn.Module):
    """Brings the inputs, which are normalized in single precision, to double precision."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.double()


def network(shape: tuple[int, ...], outputs: int, **_: Any) -> nn.Module:
    return nn.Sequential(InDouble(), nn.Linear(shape[0], 5), nn.Tanh(), nn.Linear(5, outputs))


def linear(shape: tuple[int, ...], outputs: int, **_: Any) -> nn.Module:
    return nn.Sequential(InDouble(), nn.Linear(shape[0], 1, bias=False))


def a_training(
    config: dict[str, Any], model: Any = network, task: Task = CLASSIFICATION, epochs: int = 2
) -> SupervisedTraining:
    draw = torch.Generator().manual_seed(5)
    inputs = torch.randn(30, 4, generator=draw).float()
    targets = (
        torch.randint(3, (30,), generator=draw) if task is CLASSIFICATION else inputs.sum(dim=1, keepdim=True).sin()
    )
    source = source_of(Images(inputs, targets), (torch.arange(20), torch.arange(20, 30)))
    return SupervisedTraining(
        model, config, source, outputs=3, horizon=epochs, seed=0, task=task, normalize=task is CLASSIFICATION
    )


CONFIGS: list[dict[str, Any]] = [
    {"optimizer": "sgd", "learning_rate": 0.3, "l2": 0.1},
    {"optimizer": "momentum", "learning_rate": 0.1, "momentum": 0.8, "l2": 0.03, "batch_size": 7},
    {"optimizer": "nesterov", "learning_rate": 0.1, "momentum": 0.8, "l1": 0.01, "l2": 0.03, "batch_size": 7},
    {"optimizer": "momentum", "learning_rate": 0.1, "momentum": 0.8, "l2_1": 0.3, "l2_2": 0.03, "batch_size": 7},
    {"optimizer": "nesterov", "learning_rate": 0.05, "momentum": 0.5, "batch_size": 6, "delay": 3},
    {"optimizer": "sgd", "learning_rate": 0.2, "batch_size": 6, "schedule": "cosine", "warmup": 0.2},
]


@pytest.mark.parametrize("config", CONFIGS)
def test_the_training_that_is_unrolled_is_the_ordinary_one(config: dict[str, Any]) -> None:
    ordinary, other = a_training(config, epochs=3), a_training(config, epochs=3)
    for _ in range(3):
        ordinary.train_epoch()
    weights = unrolled(other, {})
    assert weights is not None
    for name, weight in ordinary.model.named_parameters():
        torch.testing.assert_close(weights[name], weight, rtol=1e-5, atol=1e-7)  # its loss is single
    assert validation_loss(other, weights).item() == pytest.approx(ordinary.validate().loss, rel=1e-6)


@pytest.mark.parametrize("config", CONFIGS[:5])
def test_it_is_what_finite_differences_are(config: dict[str, Any]) -> None:
    names = [name for name in config if of_training(name) in DIFFERENTIABLE]

    def loss(values: dict[str, float]) -> float:
        return hypergradient(a_training(config | values), {}).loss

    found = hypergradient(a_training(config), {name: config[name] for name in names}).gradient
    for name in names:
        ε = 1e-5 * config[name]
        difference = (loss({name: config[name] + ε}) - loss({name: config[name] - ε})) / (2 * ε)
        assert found[name] == pytest.approx(difference, rel=1e-5, abs=1e-8)


def test_one_step_of_sgd_has_a_closed_form() -> None:
    """∂L_val/∂η = −∇L_val(x₁)·∇L_train(x₀), and, with the penalty l2/2 |x|², ∂L_val/∂l2 = −η ∇L_val(x₁)·x₀."""
    η, l2 = 0.3, 0.2
    training = a_training({"optimizer": "sgd", "learning_rate": η, "l2": l2}, linear, SQUARED, epochs=1)
    x0 = next(training.model.parameters()).detach().clone().squeeze()
    everything: Any = vars(training.source)["examples"]
    A: Tensor = everything.pixels.double()
    b: Tensor = everything.targets.double().squeeze()

    def slope(x: Tensor, rows: slice) -> Tensor:
        return A[rows].T @ (A[rows] @ x - b[rows]) / len(b[rows])

    training_slope = slope(x0, slice(0, 20)) + l2 * x0
    x1 = x0 - η * training_slope
    found = hypergradient(training, {"learning_rate": η, "l2": l2}).gradient
    assert found["learning_rate"] == pytest.approx(float(-slope(x1, slice(20, 30)) @ training_slope), rel=1e-12)
    assert found["l2"] == pytest.approx(float(-η * slope(x1, slice(20, 30)) @ x0), rel=1e-12)


def test_a_training_that_diverges_has_no_gradient() -> None:
    training = a_training({"optimizer": "sgd", "learning_rate": 1e6}, linear, SQUARED, epochs=20)
    found = hypergradient(training, {"learning_rate": 1e6})
    assert (found.loss, found.gradient) == (float("inf"), {})


def test_the_model_is_left_as_it_was() -> None:
    training = a_training(CONFIGS[1])
    before = {name: tensor.clone() for name, tensor in training.model.state_dict().items()}
    hypergradient(training, {"learning_rate": 0.1})
    assert all(torch.equal(tensor, before[name]) for name, tensor in training.model.state_dict().items())
