"""Gradients of a user's own model and loss."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tautune.trainables.asynchronous.batches import Batches, NumberedBatches, seed_batch
from tautune.trainables.asynchronous.judged import Judged

Loss = Callable[[nn.Module, Any], Tensor]
"""Returns the loss of a model on a batch, a scalar."""


class OwnLoss:
    """Computes the gradients of a loss.

    Args:
        model: is trained in the modes that it has: what is in eval mode, a frozen batch norm for one, stays there.
        loss: its loss on a batch.
        batches: the batches, by their numbers.
        seed: of dropout, and of whatever else takes torch's random numbers.
        device: where the model is brought, and the tensors of each batch.
    """

    def __init__(self, model: nn.Module, loss: Loss, batches: Batches, seed: int, device: str) -> None:
        self.model, self.loss, self.batches = model.to(device), loss, NumberedBatches(batches)
        self.seed, self.device = seed, device

    def compute(self, batch: int) -> Judged:
        """Leaves the gradient of the batch of that number in `.grad`."""
        seed_batch(self.seed, batch)
        loss = self.loss(self.model, moved(self.batches(batch), self.device))
        loss.backward()
        return Judged(loss)


class MakeOwnLoss:
    """Makes `OwnLoss` in a worker's process."""

    def __init__(self, model: nn.Module, loss: Loss, batches: Batches, seed: int) -> None:
        self.given = model, loss, batches, seed

    def __call__(self, device: str) -> OwnLoss:
        """Returns what computes the gradients on a device."""
        return OwnLoss(*self.given, device)


def moved(batch: Any, device: str) -> Any:
    """Returns a batch whose tensors, also in lists, tuples and dictionaries, are on a device."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, list | tuple) and type(batch) in (list, tuple):
        return type(batch)(moved(value, device) for value in batch)
    if isinstance(batch, dict):
        return {name: moved(value, device) for name, value in batch.items()}
    return batch


def device_of(gpus: float) -> str:
    """Returns where a process with so many GPUs computes."""
    return "cuda" if gpus and torch.cuda.is_available() else "cpu"
