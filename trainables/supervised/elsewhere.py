"""A training whose gradients are computed in other processes, on this host and on others."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch

from tautune.trainables.supervised.passes import Passes
from tautune.trainables.supervised.supervised_training import SupervisedTraining
from tautune.trainables.supervised.training import Epoch, conclude

Make = Callable[[str], SupervisedTraining]
"""Makes a training on a device: in each process the same one, of which only the gradients are used there."""


class TrainingElsewhere(ABC):
    """Its epochs, checkpoints and scores are those of the `SupervisedTraining` inside.

    The order of the batches is that of a training in one process; dropout and changes of images are drawn for each
    batch by its number.

    Args:
        make: makes the training.
        device: where its own weights are.

    Raises:
        ValueError: the training has a delay of its own.
    """

    noun = "other processes"

    def __init__(self, make: Make, device: str) -> None:
        self.make, self.inner = make, make(device)
        if self.inner.config.delay:
            raise ValueError(
                f"delay must be 0 with {self.noun}, whose gradients are late by themselves, "
                f"not {self.inner.config.delay}"
            )
        self.passes = Passes(self.inner)
        self.rows: list[Any] = []
        """What was applied since they were last taken away: each has what `WRITTEN` names."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def lengthen(self, epochs: int) -> None:
        """Makes the whole training so many epochs longer."""
        self.inner.lengthen(epochs)

    def next_pass(self) -> int:
        """Begins an epoch. Returns the number of its batches."""
        self.inner.remember()
        done = self.inner.epochs
        return self.passes.end(done) - (self.passes.end(done - 1) if done else 0)

    def ended(self, computed: Iterable[Any], rate: float) -> Epoch:
        """Ends an epoch. Returns its outcome.

        Args:
            computed: what is known of each gradient, in order: `loss`, `examples` and `hits`.
            rate: learning rate of the last update.
        """
        inner, rows = self.inner, list(computed)
        losses = list(torch.tensor([row.loss for row in rows], dtype=torch.float64))
        hits = list(torch.tensor([row.hits for row in rows])) if inner.task.hits else []
        epoch = conclude(losses, hits, [row.examples for row in rows], rate)
        inner.epochs += 1
        inner.steps += epoch.steps
        return epoch

    @abstractmethod
    def train_epoch(self) -> Epoch:
        """Trains for one more epoch."""

    @abstractmethod
    def close(self) -> None:
        """Ends the other processes."""
