"""Training a classifier: the optimizers by name, one epoch, and the evaluation.

Batch, on-line and mini-batch training are one loop with different batch sizes.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from tautune.trainables.delay import GradientQueue, ShiftedMomentumSGD
from tautune.trainables.supervised.augmentation import flip, shift
from tautune.trainables.supervised.datasets import Images
from tautune.trainables.supervised.hyperparameters import TrainingConfig
from tautune.trainables.supervised.normalization import Normalization
from tautune.trainables.supervised.schedules import factor

DIVERGED_LOSS = 1e6
"""Loss above which a training has diverged, as it has where the loss is not a number."""
CHECK_EVERY = 32
"""Steps between two looks at the losses: each look waits for the device, and a divergence wastes this many at most."""

Parameters = Iterable[Any]
# fused means one kernel for the whole step, where torch has one; with Adam and a small CNN it saves a sixth of the time
OPTIMIZERS: dict[str, Callable[[Parameters, TrainingConfig], Optimizer]] = {
    "sgd": lambda p, c: torch.optim.SGD(p, c.learning_rate, fused=True),
    "momentum": lambda p, c: torch.optim.SGD(p, c.learning_rate, fused=True, momentum=c.momentum),
    "nesterov": lambda p, c: torch.optim.SGD(
        p, c.learning_rate, fused=True, momentum=c.momentum, nesterov=c.momentum > 0
    ),
    "shifted-momentum": lambda p, c: ShiftedMomentumSGD(p, c.learning_rate, momentum=c.momentum, shift=c.delay),
    "adagrad": lambda p, c: torch.optim.Adagrad(p, c.learning_rate),
    "rmsprop": lambda p, c: torch.optim.RMSprop(p, c.learning_rate, alpha=c.rho),
    "adadelta": lambda p, c: torch.optim.Adadelta(p, c.learning_rate, rho=c.rho),
    "adam": lambda p, c: torch.optim.Adam(p, c.learning_rate, fused=True, betas=(c.momentum, c.beta2)),
    "adamw": lambda p, c: torch.optim.AdamW(p, c.learning_rate, fused=True, betas=(c.momentum, c.beta2)),
}


def make_optimizer(parameters: Parameters, config: TrainingConfig) -> GradientQueue:
    """Returns the optimizer of that name behind a gradient queue of `config.delay` steps."""
    return GradientQueue(OPTIMIZERS[config.optimizer](parameters, config), config.delay)


@dataclass(frozen=True)
class Epoch:
    """The outcome of one pass over the training images."""

    loss: float
    """Mean over the images up to a divergence, without the penalties."""
    accuracy: float
    """Share of the same images whose class was right, as the model was when it saw them."""
    steps: int
    """Steps with a finite loss."""
    diverged: bool
    """Whether the loss of the step after these was above `DIVERGED_LOSS` or not a number."""
    learning_rate: float
    """Learning rate of the last step."""


def train_epoch(
    model: nn.Module,
    optimizer: GradientQueue,
    images: Images,
    indices: Tensor,
    normalize: Normalization,
    config: TrainingConfig,
    *,
    generator: torch.Generator,
    done: float,
    share: float,
) -> Epoch:
    """Trains on images[indices] once, in a new order, and ends early if the loss diverges.

    Args:
        model: the network, which is trained in place.
        optimizer: its optimizer, behind a gradient queue.
        images: the images that `indices` [n] number; they stay on their device.
        indices: the images to train on.
        normalize: what is done to them before the network sees them.
        config: the hyperparameters of training.
        generator: draws the order of the images and their changes.
        done: share of the whole training that is done before this epoch.
        share: share of the whole training that this epoch is.
    """
    model.train()
    weights = penalized(model)
    batches = indices[torch.randperm(len(indices), generator=generator)].split(config.batch_size)
    if len(batches) > 1 and len(batches[-1]) == 1 < config.batch_size and _normalizes_batches(model):
        batches = batches[:-1]
    losses: list[Tensor] = []
    right: list[Tensor] = []
    rate = config.learning_rate
    for step, batch in enumerate(batches):
        now = done + share * step / len(batches)
        rate = config.learning_rate * factor(config.schedule, now, warmup=config.warmup, step=share / len(batches))
        for group in optimizer.param_groups:
            group["lr"] = rate
        part = images[batch.to(images.targets.device)]
        optimizer.zero_grad()
        with torch.autocast(part.pixels.device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
            outputs = model(normalize(_augment(part.pixels, config, generator)))
        error = cross_entropy(outputs.float(), part.targets)
        (error + _penalty(weights, config)).backward()
        optimizer.step()
        losses.append(error.detach())
        right.append((outputs.argmax(dim=1) == part.targets).sum())
        if (step + 1) % CHECK_EVERY == 0 and _first_diverged(losses[-CHECK_EVERY:]) is not None:
            break
    return _conclude(losses, right, [len(batch) for batch in batches], rate)


def _normalizes_batches(model: nn.Module) -> bool:
    """Returns whether a layer needs two examples, since one alone has no variance."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training for m in model.modules())


def penalized(model: nn.Module) -> list[nn.Parameter]:
    """Returns the weights that l1 and l2 act on: all but biases and those of normalization layers."""
    norms = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.modules.batchnorm._NormBase)
    left_out = {id(p) for module in model.modules() if isinstance(module, norms) for p in module.parameters()}
    return [p for p in model.parameters() if p.ndim > 1 and id(p) not in left_out]


def _conclude(losses: list[Tensor], right: list[Tensor], sizes: list[int], learning_rate: float) -> Epoch:
    diverged_at = _first_diverged(losses)
    steps = len(losses) if diverged_at is None else diverged_at
    seen = max(sum(sizes[:steps]), 1)
    loss = (
        sum(value * size for value, size in zip(torch.stack(losses[:steps]).tolist(), sizes, strict=False))
        if steps
        else 0.0
    )
    hits = int(torch.stack(right[:steps]).sum()) if steps else 0
    return Epoch(loss / seen, hits / seen, steps, diverged_at is not None, learning_rate)


def _first_diverged(losses: list[Tensor]) -> int | None:
    diverged = ~(torch.stack(losses) <= DIVERGED_LOSS)
    return int(diverged.int().argmax()) if bool(diverged.any()) else None


def _augment(pixels: Tensor, config: TrainingConfig, generator: torch.Generator) -> Tensor:
    if config.shift:
        pixels = shift(pixels, config.shift, generator)
    return flip(pixels, generator) if config.flip else pixels


def _penalty(weights: Sequence[Tensor], config: TrainingConfig) -> Tensor | float:
    penalty: Tensor | float = 0.0
    if config.l1:
        penalty = penalty + config.l1 * torch.stack([w.abs().sum() for w in weights]).sum()
    if config.l2:
        penalty = penalty + config.l2 / 2 * torch.stack([w.square().sum() for w in weights]).sum()
    return penalty


@torch.no_grad()
def outputs_of(model: nn.Module, images: Images, normalize: Normalization, *, batch_size: int = 500) -> Tensor:
    """Returns logits [N, classes], without dropout and with batch normalization's running estimates."""
    model.eval()
    return torch.cat([model(normalize(pixels)).float() for pixels in images.pixels.split(batch_size)])


def evaluate(model: nn.Module, images: Images, normalize: Normalization) -> tuple[float, float]:
    """Returns (mean loss, accuracy); the loss may be inf."""
    outputs = outputs_of(model, images, normalize)
    loss = cross_entropy(outputs, images.targets).item()
    accuracy = (outputs.argmax(dim=1) == images.targets).double().mean().item()
    return (loss if math.isfinite(loss) else math.inf), accuracy
