"""The two kinds of study: a minimum at which delays are tried, and a space of configurations to tune in."""

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainables.datasets import LOADERS
from trainables.models import MODELS
from trainables.problem import Loss, Problem
from trainables.training import TRAINING_NAMES


@dataclass(frozen=True, kw_only=True)
class StabilityStudy:
    """A training problem by name; everything in it is made anew, and the same, wherever a trial runs."""

    name: str
    description: str
    data: Callable[[], tuple[Tensor, Tensor]]
    """Returns inputs [N, …] and targets [N, …]."""
    model: Callable[[], nn.Module]
    """Returns the untrained network."""
    loss: Loss
    """(outputs [n, …], targets [n, …]) → mean over the n examples."""
    l2: float = 0.0
    """Weight of (l2/2) Σ w² over the weights, biases left out."""
    seed: int = 0
    """Of the initial weights."""

    def problem(self, device: torch.device | str = "cpu") -> Problem:
        """The study in double precision on `device`, at its initial weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = self.model()
        inputs, targets = self.data()
        if targets.is_floating_point():
            targets = targets.double()
        return Problem(
            model.to(device, torch.float64), self.loss, inputs.double().to(device), targets.to(device), l2=self.l2
        )


@dataclass(frozen=True, kw_only=True)
class TuningStudy:
    """A classifier to tune: which hyperparameters, in which bounds, and how far by default.

    Raises:
        ValueError: data or model of an unknown name, or a hyperparameter that neither the training nor the model has.
    """

    name: str
    description: str
    data: str
    """One of `trainables.datasets.LOADERS`."""
    model: str
    """One of `trainables.models.MODELS`."""
    space: dict[str, Any]
    """Hyperparameter → a Ray Tune domain (`tune.loguniform`, `tune.randint`, `tune.choice` …) or a fixed value."""
    search: str = "hyperopt"
    scheduler: str = "asha"
    trials: int = 20
    max_epochs: int = 20
    validation_share: float = 0.2
    """Of the training images, held out to compare configurations."""

    def __post_init__(self) -> None:
        _check_name("data", self.data, list(LOADERS))
        _check_name("model", self.model, list(MODELS))
        own = list(inspect.signature(MODELS[self.model]).parameters)[2:]
        for name in self.space:
            _check_name("hyperparameter", name, [*TRAINING_NAMES, *own])


def _check_name(kind: str, name: str, known: list[str]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3) or sorted(known)
        raise ValueError(f"{kind} {name!r} is unknown; nearest: {', '.join(near)}")
