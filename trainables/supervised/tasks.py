"""Tasks: what a training lowers, what its outputs are measured by, and what they say of an example.

Shapes: n examples; outputs [n, …] as the model returns them, targets [n, …] as the data have them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, l1_loss, mse_loss

from tautune.trainables.goal import ACCURACY, Goal, Mode, task_goal

Loss = Callable[[Tensor, Tensor], Tensor]
"""(outputs, targets) → the mean loss of a batch."""
Metric = Callable[[Tensor, Tensor], Any]
"""(predictions, targets) of all validation examples → a number; torchmetrics.functional has many."""


def as_they_are(outputs: Tensor) -> Tensor:
    """Returns the outputs."""
    return outputs


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a network is trained for, and what configurations are compared by.

    Raises:
        ValueError: one of the values cannot be used; the message begins with its name.
    """

    loss: Loss
    """(outputs, targets) → the mean loss of a batch, which training lowers."""
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    """Name → (predictions, targets) of all validation examples → a number. Without them, only a mean loss is kept of
    each batch, however many there are."""
    metric: str = "loss"
    """What configurations are compared by: `loss`, or one of the metrics."""
    mode: Mode = "min"
    """max or min: which of two values is the better one."""
    predict: Callable[[Tensor], Tensor] = as_they_are
    """Outputs → predictions, which metrics measure and `tautune predict` writes."""
    standardize: bool = False
    """Whether the outputs estimate the targets themselves: they are then given the targets' shape, the model learns
    targets of mean 0 and standard deviation 1 over the training part, and predictions are in the data's own units."""
    outputs: int | None = None
    """The number that a model's function is told; None means the number of classes, or of numbers in a target."""
    penalty: float = 1e6
    """Size of the metric that a trial is given which diverged or raised (mode max: its negative), in standard
    deviations of the targets if they are standardized. What is worse than this counts as diverged."""
    of_loss: Mapping[str, Callable[[float], float]] = field(default_factory=dict)
    """Name → the mean loss in another unit."""
    hits: Callable[[Tensor, Tensor], Tensor] | None = None
    """(outputs, targets) of a batch → how many are right, where the accuracy in training is reported too."""
    name: str = "own"
    """Its name in run.json."""

    def __post_init__(self) -> None:
        for name in ("loss", "predict"):
            if not callable(getattr(self, name)):
                raise ValueError(f"{name} must be a function, not a {type(getattr(self, name)).__name__}")
        if not isinstance(self.metrics, Mapping):
            raise ValueError(f"metrics must be a dict, name → function, not a {type(self.metrics).__name__}")
        for name, function in self.metrics.items():
            if not isinstance(name, str) or not name.isidentifier() or name == "loss" or not callable(function):
                raise ValueError(f"metrics must be names (not loss) and functions, not {name!r}: {function!r}")
        if self.metric not in self.names:
            raise ValueError(f"metric must be one of {', '.join(self.names)}, not {self.metric!r}")
        if self.mode not in ("max", "min"):
            raise ValueError(f"mode must be max or min, not {self.mode!r}")
        if not isinstance(self.penalty, Real) or not 0 <= self.penalty < math.inf:
            raise ValueError(f"penalty must be a finite number of at least 0, not {self.penalty!r}")

    @property
    def names(self) -> tuple[str, ...]:
        """Returns what can be measured."""
        return ("loss", *self.metrics, *self.of_loss)

    @property
    def goal(self) -> Goal:
        """Returns what trials are compared by."""
        return ACCURACY if self.name == CLASSIFICATION.name else task_goal(self.metric, self.mode, self.names)

    @property
    def worst(self) -> float:
        """Returns the metric of a trial that diverged or raised, in standard deviations of the targets if there are."""
        return self.penalty * (-1 if self.mode == "max" else 1)

    def described(self) -> dict[str, Any]:
        """Returns what run.json has of it; nothing for a classification, as it was before there were tasks."""
        if self.name == CLASSIFICATION.name:
            return {}
        return {"task": {"name": self.name, "metric": self.metric, "mode": self.mode, "metrics": list(self.names)}}

    def shaped(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Returns the outputs in the targets' shape where they estimate them, so that nothing is broadcast.

        Raises:
            ValueError: they are of another number.
        """
        if not self.standardize or outputs.shape == targets.shape:
            return outputs
        if outputs.numel() != targets.numel():
            raise ValueError(
                f"the model returns outputs of shape {tuple(outputs.shape)}, and the targets of the batch have shape "
                f"{tuple(targets.shape)}"
            )
        return outputs.view(targets.shape)

    def measured(self, loss: float, predictions: Tensor | None, targets: Tensor | None) -> dict[str, float]:
        """Returns all metrics but the loss itself; they may be infinite or not a number."""
        found = {name: function(loss) for name, function in self.of_loss.items()}
        if predictions is not None and targets is not None:
            found |= {name: float(function(predictions, targets)) for name, function in self.metrics.items()}
        return found


def right(outputs: Tensor, classes: Tensor) -> Tensor:
    """Returns how many of the logits [n, classes] are largest at the class [n]."""
    return (outputs.argmax(dim=1) == classes).sum()


def accuracy(logits: Tensor, classes: Tensor) -> float:
    """Returns the share of the logits [n, classes] that are largest at the class [n]."""
    return (logits.argmax(dim=1) == classes).double().mean().item()


def rmse(predictions: Tensor, targets: Tensor) -> float:
    """Returns the root of the mean squared error, in the targets' unit."""
    return math.sqrt(mse_loss(predictions.double(), targets.double()).item())


def mae(predictions: Tensor, targets: Tensor) -> float:
    """Returns the mean absolute error, in the targets' unit."""
    return l1_loss(predictions.double(), targets.double()).item()


def r2(predictions: Tensor, targets: Tensor) -> float:
    """Returns 1 - mean squared error / variance, averaged over the numbers [n, …] of a target; NaN if one is constant.

    As scikit-learn's r2_score has it.
    """
    targets = targets.double()
    error = (predictions.double() - targets).square().mean(dim=0)
    return (1 - error / targets.var(dim=0, correction=0)).mean().item()


def token_loss(logits: Tensor, tokens: Tensor) -> Tensor:
    """Returns the mean cross-entropy in nats of the logits [n, window, vocabulary] at the tokens [n, window]."""
    if logits.shape[:-1] != tokens.shape:
        raise ValueError(
            f"the model returns logits of shape {tuple(logits.shape)}, and the tokens of the batch have shape "
            f"{tuple(tokens.shape)}: there must be logits [vocabulary] for each token"
        )
    return cross_entropy(logits.flatten(0, -2), tokens.flatten())


def bits(loss: float) -> float:
    """Returns nats in bits: of a language model of bytes, its bits per byte."""
    return loss / math.log(2)


def _probabilities(logits: Tensor) -> Tensor:
    return torch.softmax(logits, dim=-1)


CLASSIFICATION = Task(
    name="classification",
    loss=cross_entropy,
    metrics={"accuracy": accuracy},
    metric="accuracy",
    mode="max",
    hits=right,
)
LARGEST_ERROR = 1e3
"""Metric of a trial that diverged, in standard deviations of the targets, or in bits."""
TASKS: dict[str, Task] = {
    "classification": CLASSIFICATION,
    "regression": Task(
        name="regression",
        loss=mse_loss,
        metrics={"rmse": rmse, "mae": mae, "r2": r2},
        metric="rmse",
        standardize=True,
        penalty=LARGEST_ERROR,
    ),
    "forecasting": Task(
        name="forecasting",
        loss=mse_loss,
        metrics={"mae": mae, "rmse": rmse},
        metric="mae",
        standardize=True,
        penalty=LARGEST_ERROR,
    ),
    "language": Task(
        name="language",
        loss=token_loss,
        of_loss={"bits_per_byte": bits},
        metric="bits_per_byte",
        predict=_probabilities,
        penalty=LARGEST_ERROR,
    ),
}
"""The built-in tasks by name."""
