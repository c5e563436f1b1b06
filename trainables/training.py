"""Training a classifier: the optimizers by name, one epoch, one evaluation.

Batch, on-line and mini-batch training are the one loop at different batch sizes.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from trainables.datasets import Images, Normalization
from trainables.delay import GradientQueue, ShiftedMomentumSGD

DIVERGED_LOSS = 1e6
"""A loss above this, or one that is not a number, is a training that has diverged."""

Parameters = Iterable[Any]
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": lambda p, lr, m, delay: torch.optim.SGD(p, lr),
    "momentum": lambda p, lr, m, delay: torch.optim.SGD(p, lr, momentum=m),
    "nesterov": lambda p, lr, m, delay: torch.optim.SGD(p, lr, momentum=m, nesterov=True),
    "shifted-momentum": lambda p, lr, m, delay: ShiftedMomentumSGD(p, lr, momentum=m, shift=delay),
    "adagrad": lambda p, lr, m, delay: torch.optim.Adagrad(p, lr),
    "rmsprop": lambda p, lr, m, delay: torch.optim.RMSprop(p, lr),
    "adadelta": lambda p, lr, m, delay: torch.optim.Adadelta(p, lr),
    "adam": lambda p, lr, m, delay: torch.optim.Adam(p, lr, betas=(m, 0.999)),
    "adamw": lambda p, lr, m, delay: torch.optim.AdamW(p, lr, betas=(m, 0.999)),
}
"""(parameters, learning rate, momentum, delay) → optimizer. Adam's first β is the momentum."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The hyperparameters that are not the model's."""

    optimizer: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    """Adam's first β."""
    delay: int = 0
    """τ, in optimizer steps."""
    batch_size: int = 64
    l1: float = 0.0
    l2: float = 0.0


TRAINING_NAMES = tuple(field.name for field in fields(TrainingConfig))


def make_optimizer(
    name: str, parameters: Parameters, *, learning_rate: float, momentum: float = 0.9, delay: int = 0
) -> GradientQueue:
    """The optimizer of that name behind a gradient queue of `delay` steps.

    Raises:
        ValueError: no such optimizer, or a delay or momentum that is none.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, not {name!r}")
    return GradientQueue(OPTIMIZERS[name](parameters, learning_rate, momentum, delay), delay)


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training images came to."""

    loss: float
    """Mean over the images, penalties left out."""
    accuracy: float
    steps: int
    diverged: bool
    """Whether the loss stopped being a number at the last of these steps; it is not in the mean."""


def train_epoch(
    model: nn.Module,
    optimizer: GradientQueue,
    images: Images,
    normalize: Normalization,
    *,
    batch_size: int,
    generator: torch.Generator,
    l1: float = 0.0,
    l2: float = 0.0,
) -> Epoch:
    """One pass in a new order; it ends at the first step whose loss has diverged.

    The penalties l1 Σ|w| + (l2/2) Σw² are over weights; biases and normalization layers are left out.
    """
    model.train()
    weights = [p for p in model.parameters() if p.ndim > 1]
    loss_sum, right, seen, steps = 0.0, 0, 0, 0
    for batch in torch.randperm(len(images), generator=generator).split(batch_size):
        if len(batch) == 1 < len(images) and batch_size > 1:
            continue  # batch normalization has no variance of one image
        part = images[batch.to(images.targets.device)]
        optimizer.zero_grad()
        outputs = model(normalize(part.pixels))
        error = cross_entropy(outputs, part.targets)
        value = error.item()
        if not value <= DIVERGED_LOSS:
            return Epoch(loss_sum / max(seen, 1), right / max(seen, 1), steps, diverged=True)
        penalty: Tensor | float = 0.0
        if l1:
            penalty = penalty + l1 * torch.stack([w.abs().sum() for w in weights]).sum()
        if l2:
            penalty = penalty + l2 / 2 * torch.stack([w.square().sum() for w in weights]).sum()
        (error + penalty).backward()
        optimizer.step()
        loss_sum += value * len(batch)
        right += int((outputs.argmax(dim=1) == part.targets).sum())
        seen += len(batch)
        steps += 1
    return Epoch(loss_sum / max(seen, 1), right / max(seen, 1), steps, diverged=False)


@torch.no_grad()
def evaluate(
    model: nn.Module, images: Images, normalize: Normalization, *, batch_size: int = 1000
) -> tuple[float, float]:
    """(mean loss, accuracy) without dropout and with batch normalization's running estimates; the loss may be inf."""
    model.eval()
    loss_sum, right = 0.0, 0
    for start in range(0, len(images), batch_size):
        part = images[torch.arange(start, min(start + batch_size, len(images)), device=images.targets.device)]
        outputs = model(normalize(part.pixels))
        loss_sum += cross_entropy(outputs, part.targets, reduction="sum").item()
        right += int((outputs.argmax(dim=1) == part.targets).sum())
    loss = loss_sum / len(images)
    return (loss if math.isfinite(loss) else math.inf), right / len(images)
