"""A stability study: a training problem at whose minimum delays are tried."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from tautune.trainables.theory.problem import Loss, Problem


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
    source: Path | None = None
    """The file of a user's own study."""

    def problem(self, device: torch.device | str = "cpu") -> Problem:
        """The study in double precision on `device`, at its initial weights."""
        inputs, targets = self.data()
        if targets.is_floating_point():
            targets = targets.double()
        model = self._untrained(self.seed).to(device)
        return Problem(model, self.loss, inputs.double().to(device), targets.to(device), l2=self.l2)

    def start(self, seed: int) -> Tensor:
        """Initial weights [P] of another seed, on the CPU."""
        return parameters_to_vector(self._untrained(seed).parameters()).detach()

    def _untrained(self, seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.model().double()
