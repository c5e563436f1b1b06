"""The remedies, the delays and the trainings that all their tests share."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from tautune.trainables.delay import GradientQueue, RandomDelay
from tautune.trainables.delay.pipeline import pipeline_delays
from tautune.trainables.delay.remedies.delay_adaptive import DelayAdaptive
from tautune.trainables.delay.remedies.delay_compensation import DelayCompensation
from tautune.trainables.delay.remedies.discard_stale import DiscardStale
from tautune.trainables.delay.remedies.gap_aware import GapAware
from tautune.trainables.delay.remedies.pipemare import PipeMareRescheduling
from tautune.trainables.delay.remedies.staleness_aware import StalenessAware
from tautune.trainables.delay.remedies.weight_prediction import WeightPrediction
from tests.trainables.delay.small_training import backward

Wrap = Callable[[Any], torch.optim.Optimizer]
STEPS = 30
MOMENTUM = 0.9
RANDOM = RandomDelay(probabilities=(0.3, 0.2, 0.1, 0.4), seed=1)
DELAYS: dict[str, Any] = {"fixed": 3, "random": RANDOM, "by stage": {"stage0": 3, "stage1": 0, "stage2": 1}}
REMEDIES: dict[str, Wrap] = {
    "prediction": lambda o: WeightPrediction(o, horizon=2.5),
    "compensation": lambda o: DelayCompensation(o, strength=2.0),
    "gap-aware": lambda o: GapAware(o, decay=0.9),
    "delay-adaptive": lambda o: DelayAdaptive(o, workers=2),
    "staleness-aware": StalenessAware,
    "rescheduling": lambda o: PipeMareRescheduling(o, steps=20),
    "discard": lambda o: DiscardStale(o, limit=4),
    "three": lambda o: WeightPrediction(StalenessAware(DelayCompensation(o)), horizon=1),
}


def staged_model(seed: int = 0) -> nn.Module:
    """Returns a network of three stages of one layer each."""
    torch.manual_seed(seed)
    layers = (nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    return nn.Sequential(*layers).double()


def sgd(model: nn.Module, delay: Any, learning_rate: float = 0.05) -> GradientQueue:
    """Returns SGD with momentum on late gradients of a staged model."""
    groups, _ = pipeline_delays(model, 3)
    return GradientQueue(torch.optim.SGD(groups, learning_rate, momentum=MOMENTUM), delay)


def block_of(optimizer: Any) -> AbstractContextManager[None]:
    """Returns the block into which the optimizer wants the forward and the backward pass."""
    for name in ("predicted", "stashed"):
        if hasattr(optimizer, name):
            block: AbstractContextManager[None] = getattr(optimizer, name)()
            return block
    return nullcontext()


def train(model: nn.Module, optimizer: Any, steps: range, after: Callable[[], Any] = lambda: None) -> Tensor:
    """Trains. Returns the weights after each step, one row a step."""
    path = []
    for t in steps:
        optimizer.zero_grad()
        with block_of(optimizer):
            backward(model, t)
        optimizer.step()
        after()
        path.append(parameters_to_vector(model.parameters()).detach().clone())
    return torch.stack(path)


def late_by(model: nn.Module, delay: Any, steps: int = STEPS) -> list[Tensor]:
    """Returns, for each step, τ of each weight of a staged model."""
    sizes = [sum(p.numel() for p in layer.parameters()) for layer in model if isinstance(layer, nn.Linear)]  # type: ignore[attr-defined]
    rows = []
    for t in range(steps):
        if isinstance(delay, dict):
            ages = [delay[f"stage{number}"] for number in range(3)]
        else:
            ages = [delay if isinstance(delay, int) else delay.at(t)] * 3
        rows.append(torch.cat([torch.full((size,), age) for size, age in zip(sizes, ages, strict=True)]))
    return rows


def staged_gradient(weights: Tensor, t: int) -> Tensor:
    """Returns the gradient of a staged model at those weights, on the mini-batch of step t."""
    model = staged_model()
    nn.utils.vector_to_parameters(weights, model.parameters())
    backward(model, t)
    return parameters_to_vector([p.grad for p in model.parameters()])  # type: ignore[misc]


def start() -> Tensor:
    """Returns the weights with which a staged model begins."""
    return parameters_to_vector(staged_model().parameters()).detach()
