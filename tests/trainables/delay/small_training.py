"""A small network, its optimizers and a loop, for the tests of the queue."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from tautune.trainables.delay import ShiftedMomentumSGD

STEPS = 80
Optimizers = Callable[[Any], torch.optim.Optimizer]
OPTIMIZERS: dict[str, Optimizers] = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1),
    "momentum": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, weight_decay=1e-3),
    "nesterov": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, 0.01),
    "adamw": lambda p: torch.optim.AdamW(p, 0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 0.01),
    "adagrad": lambda p: torch.optim.Adagrad(p, 0.05),
    "shifted": lambda p: ShiftedMomentumSGD(p, 0.05, momentum=0.9, shift=3),
}


def make_model(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def batch(t: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(t)
    inputs = torch.randn(8, 6, dtype=torch.float64, generator=generator)
    return inputs, torch.randint(3, (8,), generator=generator)


def backward(model: nn.Module, t: int) -> None:
    inputs, targets = batch(t)
    cross_entropy(model(inputs), targets).backward()


def run(model: nn.Module, optimizer: Any, steps: range) -> list[Tensor]:
    path = []
    for t in steps:
        optimizer.zero_grad()
        backward(model, t)
        optimizer.step()
        path.append(parameters_to_vector(model.parameters()).detach().clone())
    return path


def gradient_at(weights: Tensor, t: int) -> Tensor:
    model = make_model()
    vector_to_parameters(weights, model.parameters())
    backward(model, t)
    return parameters_to_vector([p.grad for p in model.parameters()])  # type: ignore[misc]
