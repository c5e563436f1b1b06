"""A stability study: a training problem whose stability under delay is studied."""

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from tautune.search_spaces.names import check_study_name
from tautune.trainables.theory.preparation import prepare_problem
from tautune.trainables.theory.problem import Loss, Problem, flatten

PRECISIONS = (torch.float64, torch.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class StabilityStudy:
    """A training problem with a name.

    Thresholds are measured with the model in eval mode: dropout is off, and batch norm uses its running statistics
    unchanged. Grids train in train mode. Parameters with `requires_grad=False` stay fixed.

    Raises:
        ValueError: a field has the wrong type or is out of its bounds.
    """

    name: str
    description: str = ""
    data: Callable[[], tuple[Tensor, Tensor]] | tuple[Tensor, Tensor]
    """Inputs [N, …] and targets [N, …] of any shape, or a function that returns them. Integers stay integers."""
    model: Callable[[], nn.Module] | nn.Module
    """A function that returns the untrained network, or a network, which is copied and starts at its own weights."""
    loss: Loss
    """(outputs [n, …], targets [n, …]) → mean over the n examples, for classes or numbers."""
    l2: float = 0.0
    """Factor l2 in the penalty (l2/2) Σ w² over the weights, without biases and other one-dimensional parameters."""
    seed: int = 0
    """Seed of the initial weights, if `model` is a function."""
    precision: torch.dtype = torch.float64
    """torch.float64 or torch.float32. With float32, a gradient norm of 1e-3 of its start counts as a minimum. Measured
    on 150 digits: λ is then 0.02 % off, and thresholds at that λ agree with theory to 1e-4. At delay 8 rounding errors
    can leave the bracket wider than `resolution`, and the search is slower."""
    source: Path | None = None
    """The file that defines the study, if it is a user's own."""

    def __post_init__(self) -> None:
        check_study_name(self.name)
        if not callable(self.model):
            raise ValueError(f"model must be a function that returns a torch Module, or one, not {self.model!r}")
        if not callable(self.loss):
            raise ValueError(f"loss must be a function of outputs and targets, not {self.loss!r}")
        if isinstance(self.l2, bool) or not isinstance(self.l2, numbers.Real) or not 0 <= self.l2 < math.inf:
            raise ValueError(f"l2 must be at least 0 and finite, not {self.l2!r}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be torch.float64 or torch.float32, not {self.precision!r}")

    def problem(self, device: torch.device | str = "cpu") -> Problem:
        """Returns the training problem on `device`, at the initial weights."""
        model = self._untrained(self.seed)
        return prepare_problem(model, self.loss, *self.examples(), l2=self.l2, precision=self.precision, device=device)

    def examples(self) -> tuple[Tensor, Tensor]:
        """Returns the study's inputs and targets unchanged."""
        data = self.data() if callable(self.data) else self.data
        if not isinstance(data, tuple | list) or len(data) != 2:
            raise ValueError(f"the data of {self.name} must be a pair (inputs, targets), not {type(data).__name__}")
        return data[0], data[1]

    def start(self, seed: int) -> Tensor:
        """Returns the initial weights [P] for `seed`, on the CPU; if `model` is a network, its own weights."""
        model = self._untrained(seed)
        return flatten(p for p in model.parameters() if p.requires_grad).detach().to(self.precision)

    def _untrained(self, seed: int) -> nn.Module:
        """Returns the network before training, without advancing torch's random number generator."""
        if isinstance(self.model, nn.Module):
            return self.model
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = self.model()
        if not isinstance(model, nn.Module):
            raise ValueError(f"the model of {self.name} must return a torch Module, not {type(model).__name__}")
        return model
