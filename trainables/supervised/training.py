"""Training a network: one epoch, and the evaluation.

Batch, on-line and mini-batch training are one loop with different batch sizes.
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tautune.trainables.supervised.datasets import Images
from tautune.trainables.supervised.gradient import Objective
from tautune.trainables.supervised.hyperparameters import TrainingConfig
from tautune.trainables.supervised.normalization import Normalization
from tautune.trainables.supervised.schedules import factor
from tautune.trainables.supervised.sources import Pass
from tautune.trainables.supervised.tasks import CLASSIFICATION, Task

DIVERGED_LOSS = 1e6
"""Loss above which a training has diverged, as it has where the loss is not a number."""
CHECK_EVERY = 32
"""Steps between two looks at the losses: each look waits for the device, and a divergence wastes this many at most."""


@dataclass(frozen=True)
class Epoch:
    """The outcome of one pass over the training images."""

    loss: float
    """Mean over the examples up to a divergence, without the penalties."""
    accuracy: float
    """Share of the same examples whose class was right, as the model was when it saw them; 0 where none can be."""
    steps: int
    """Steps with a finite loss."""
    diverged: bool
    """Whether the loss of the step after these was above `DIVERGED_LOSS` or not a number."""
    learning_rate: float
    """Learning rate of the last step."""
    examples: int
    """Examples that were seen, those of the step that diverged included."""


@dataclass(frozen=True)
class Evaluation:
    """How good a model is."""

    loss: float
    """Mean over the examples; may be inf."""
    metrics: dict[str, float]
    """The task's metrics, which may be infinite or not a number."""


def train_epoch(
    model: nn.Module,
    optimizer: Optimizer,
    examples: Pass,
    normalize: Normalization,
    config: TrainingConfig,
    *,
    generator: torch.Generator,
    done: float,
    share: float,
    task: Task = CLASSIFICATION,
    scale: Normalization | None = None,
) -> Epoch:
    """Trains on the batches of one pass, and ends early if the loss diverges.

    Args:
        model: the network, which is trained in place.
        optimizer: its optimizer, behind a gradient queue, with a remedy around it or not.
        examples: the batches; where their number is not known, the learning rate changes only between two passes.
        normalize: what is done to inputs before the network sees them.
        config: the hyperparameters of training.
        generator: draws the changes of images.
        done: share of the whole training that is done before this epoch.
        share: share of the whole training that this epoch is.
        task: has the loss.
        scale: what is done to targets.
    """
    model.train()
    objective = Objective(model, normalize, config, task, scale or Normalization.none())
    losses, right, sizes = list[Tensor](), list[Tensor](), list[int]()
    rate = config.learning_rate
    for step, part in enumerate(examples.batches):
        now, one = done + share * step / (examples.number or math.inf), share / (examples.number or 1)
        rate = config.learning_rate * factor(config.schedule, now, warmup=config.warmup, step=one)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        unchecked = f"batch {step + 1} of {examples.unchecked}" if examples.unchecked else ""
        with getattr(optimizer, "predicted", nullcontext)():
            error, outputs = objective.backward(part, generator, unchecked=unchecked)
        optimizer.step()
        losses.append(error)
        sizes.append(len(part))
        if task.hits:
            right.append(task.hits(outputs, part.targets))
        if (step + 1) % CHECK_EVERY == 0 and _first_diverged(losses[-CHECK_EVERY:]) is not None:
            break
    if not losses:
        raise ValueError("every batch has one example, which batch normalization cannot take")
    return conclude(losses, right, sizes, rate)


def conclude(losses: list[Tensor], right: list[Tensor], sizes: list[int], learning_rate: float) -> Epoch:
    """Returns the outcome of some steps, by their losses, right answers and numbers of examples."""
    diverged_at = _first_diverged(losses)
    steps = len(losses) if diverged_at is None else diverged_at
    seen = max(sum(sizes[:steps]), 1)
    loss = (
        sum(value * size for value, size in zip(torch.stack(losses[:steps]).tolist(), sizes, strict=False))
        if steps
        else 0.0
    )
    hits = int(torch.stack(right[:steps]).sum()) if right[:steps] else 0
    return Epoch(loss / seen, hits / seen, steps, diverged_at is not None, learning_rate, sum(sizes))


def _first_diverged(losses: list[Tensor]) -> int | None:
    diverged = ~(torch.stack(losses) <= DIVERGED_LOSS)
    return int(diverged.int().argmax()) if bool(diverged.any()) else None


@torch.no_grad()
def outputs_of(model: nn.Module, parts: Iterable[Images], normalize: Normalization) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields (outputs, targets) of each batch, without dropout, by batch normalization's running estimates."""
    model.eval()
    for part in parts:
        yield model(normalize(part.pixels)).float(), part.targets


@torch.no_grad()
def evaluate(
    model: nn.Module,
    parts: Iterable[Images],
    normalize: Normalization,
    task: Task = CLASSIFICATION,
    scale: Normalization | None = None,
) -> Evaluation:
    """Returns how good the model is on all examples together; of a task without metrics, on batch after batch."""
    scaled, batches = scale or Normalization.none(), outputs_of(model, parts, normalize)
    if not task.metrics:
        total, seen = 0.0, 0
        for outputs, targets in batches:
            total += task.loss(task.shaped(outputs, targets), scaled(targets)).item() * len(targets)
            seen += len(targets)
        return _evaluation(task, total / max(seen, 1), None, None)
    pairs = list(batches)
    targets = torch.cat([targets for _, targets in pairs])
    outputs = task.shaped(torch.cat([outputs for outputs, _ in pairs]), targets)
    loss = task.loss(outputs, scaled(targets)).item()
    predictions = task.predict(scaled.undone(outputs))
    return _evaluation(task, loss, predictions.cpu(), targets.cpu())


def _evaluation(task: Task, loss: float, predictions: Tensor | None, targets: Tensor | None) -> Evaluation:
    return Evaluation(loss if math.isfinite(loss) else math.inf, task.measured(loss, predictions, targets))
