"""The gradient of one batch: the loss with its penalties, of images that are changed at random."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from tautune.trainables.supervised.augmentation import flip, shift
from tautune.trainables.supervised.datasets import Images
from tautune.trainables.supervised.hyperparameters import TrainingConfig
from tautune.trainables.supervised.normalization import Normalization
from tautune.trainables.supervised.penalties import penalized, penalty
from tautune.trainables.supervised.streams import check_finite
from tautune.trainables.supervised.tasks import Task


@dataclass(frozen=True)
class Objective:
    """What a network is trained for, with all that goes into it beside the batch."""

    model: nn.Module
    normalize: Normalization
    """What is done to inputs before the network sees them."""
    config: TrainingConfig
    task: Task
    scale: Normalization
    """What is done to targets."""

    @cached_property
    def weights(self) -> list[nn.Parameter]:
        """Returns those that are penalized."""
        return penalized(self.model)

    def backward(self, part: Images, generator: torch.Generator, *, unchecked: str = "") -> tuple[Tensor, Tensor]:
        """Adds the gradient of a batch to `.grad`. Returns the error, without the penalties, and the outputs.

        Args:
            part: the batch.
            generator: draws the changes of images.
            unchecked: what the batch is called, where it is to be looked through for NaN if the error is not finite.
        """
        config, task = self.config, self.task
        with torch.autocast(part.pixels.device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
            outputs = self.model(self.normalize(augmented(part.pixels, config, generator)))
        error = task.loss(task.shaped(outputs.float(), part.targets), self.scale(part.targets))
        if unchecked and not bool(error.isfinite()):
            check_finite(part, unchecked)
        (error + penalty(self.weights, config.l1, config.l2)).backward()
        return error.detach(), outputs


def normalizes_batches(model: nn.Module) -> bool:
    """Returns whether a layer needs two examples, since one alone has no variance."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training for m in model.modules())


def augmented(pixels: Tensor, config: TrainingConfig, generator: torch.Generator) -> Tensor:
    """Returns images that are moved and mirrored at random."""
    if config.shift:
        pixels = shift(pixels, config.shift, generator)
    return flip(pixels, generator) if config.flip else pixels
