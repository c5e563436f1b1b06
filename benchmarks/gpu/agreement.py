"""Compares the queue, every remedy, the stacks and a probe on a device with the same on the CPU."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD

from benchmarks.language_model import LanguageModel, next_token, text
from benchmarks.remedies import REMEDIES
from tautune import GradientQueue
from tautune.trainables.curvature.probing import curvature_of
from tautune.trainables.grid.plan import train
from tautune.trainables.grid.point import Course, Point, Task
from tautune.trainables.theory.problem import Problem, flatten

DELAY, STEPS = 8, 40
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-4}
"""Largest difference between the two devices, relative to the largest weight: they add in another order."""
OPTIMIZERS: dict[str, Callable[[SGD], Any]] = {"queue": lambda sgd: GradientQueue(sgd, DELAY), **REMEDIES}


def agreement(device: torch.device, *, precision: torch.dtype) -> dict[str, dict[str, Any]]:
    """Returns how far what is computed on `device` is from what the CPU finds, relatively.

    These are the weights for the queue and for each remedy, the losses of the stack, and the sharpness of the probe.
    """
    found = {name: _differences(_updated(wrap, device, precision)) for name, wrap in OPTIMIZERS.items()}
    for name, compute in {"stack of 24 points": _stack, "probe of a transformer": _probe}.items():
        found[name] = _differences((compute("cpu", precision), compute(device, precision)))
    return {name: row | {"agrees": row["relative"] <= TOLERANCE[precision]} for name, row in found.items()}


def _updated(wrap: Callable[[SGD], Any], device: torch.device, precision: torch.dtype) -> tuple[Tensor, Tensor]:
    """Returns the weights on the CPU and on the device after the same steps on a small network."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 4)).to(precision)
    models = [network, copy.deepcopy(network).to(device)]
    optimizers = [wrap(SGD(model.parameters(), 1e-2, momentum=0.9)) for model in models]
    for _ in range(STEPS):
        inputs = torch.randn(8, 16, generator=generator, dtype=precision)
        targets = torch.randint(4, (8,), generator=generator)
        for model, optimizer in zip(models, optimizers, strict=True):
            place = next(model.parameters()).device
            optimizer.zero_grad()
            with getattr(optimizer, "predicted", getattr(optimizer, "stashed", torch.enable_grad))():
                cross_entropy(model(inputs.to(place)), targets.to(place)).backward()
            optimizer.step()
    cpu, other = (flatten(model.parameters()).detach().cpu() for model in models)
    return cpu, other


def _stack(device: torch.device | str, precision: torch.dtype) -> Tensor:
    """Returns the final losses of 24 points trained together, with mini-batches, momentum and delays from 0 to 16."""
    torch.manual_seed(0)
    inputs, targets = torch.randn(64, 16, dtype=precision), torch.randint(4, (64,))
    model = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 4)).to(precision)
    start = flatten(model.parameters()).detach().to(device)
    problem = Problem(model.to(device), cross_entropy, inputs.to(device), targets.to(device), l2=1e-2)
    points = [Point(delay, rate, m) for delay in (0, 1, 4, 16) for rate in (0.03, 0.1, 0.3) for m in (0.0, 0.9)]
    outcomes = train(Task(problem, {0: start}, Course(steps=STEPS, mini_batch=16)), points)
    return torch.tensor([point.loss for point in outcomes], dtype=torch.float64)


def _probe(device: torch.device | str, precision: torch.dtype) -> Tensor:
    """Returns the sharpness of a small transformer's loss."""
    torch.manual_seed(0)
    model = LanguageModel(20, 1, tokens=32, window=8).to(precision)
    batches = text(2, 4, tokens=32, window=8)
    found = curvature_of(model.to(device), next_token, batches)
    return torch.tensor([found.sharpness], dtype=torch.float64)


def _differences(pair: tuple[Tensor, Tensor]) -> dict[str, Any]:
    """Returns whether both are the same bit for bit, and their largest difference relative to the largest entry."""
    one, other = pair
    return {"bit_for_bit": torch.equal(one, other), "relative": float((one - other).abs().max() / one.abs().max())}
