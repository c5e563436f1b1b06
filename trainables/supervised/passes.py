"""The batches of a training, numbered through all of its passes, so that any worker can compute any of them."""

from collections.abc import Iterator

import torch
from torch import Tensor

from tautune.trainables.asynchronous.batches import seed_of
from tautune.trainables.supervised.datasets import Images
from tautune.trainables.supervised.gradient import normalizes_batches
from tautune.trainables.supervised.sources import Numbered, Streamed
from tautune.trainables.supervised.streams import Loaded, begin_pass
from tautune.trainables.supervised.supervised_training import SupervisedTraining


class Passes:
    """The batches in the order in which `SupervisedTraining.train_epoch` takes them, pass after pass.

    Raises:
        ValueError: the data are an iterable that does not know its length.
    """

    def __init__(self, training: SupervisedTraining) -> None:
        self.source, self.size, self.seed = training.source, training.config.batch_size, training.seed
        self.drop_single = normalizes_batches(training.model.train())
        self._order = torch.Generator().manual_seed(self.seed)
        self._ends: list[int] = []
        """Number of batches until the end of each pass."""
        self._numbers: dict[int, list[Tensor]] = {}
        self._stream: tuple[int, Iterator[Images], int] | None = None

    def end(self, epoch: int) -> int:
        """Returns the number of batches in all passes until the end of that one, from 0."""
        while len(self._ends) <= epoch:
            before = self._ends[-1] if self._ends else 0
            self._ends.append(before + self._length(len(self._ends)))
        return self._ends[epoch]

    def batch(self, number: int) -> Images:
        """Returns the batch of that number, from 0."""
        epoch = 0
        while self.end(epoch) <= number:
            epoch += 1
        place = number - (self.end(epoch - 1) if epoch else 0)
        if isinstance(self.source, Streamed):
            return self._streamed(epoch, place)
        if epoch not in self._numbers:  # of a worker that was lost in an earlier pass
            self._numbers = self._drawn_anew(epoch)
        if isinstance(self.source.examples, Loaded):
            begin_pass(None, seed=seed_of(self.seed, number) % 2**32, epoch=epoch)
        return next(iter(self.source.examples.parts([self._numbers[epoch][place]])))

    def _length(self, epoch: int) -> int:
        if isinstance(self.source, Streamed):
            known = self.source.training_pass(self.size, self._order, epoch=epoch, drop_single=self.drop_single).number
            if known is None:
                raise ValueError("workers and stages need iterables that know their length: give theirs a __len__")
            return known
        self._numbers[epoch] = list(
            self.source.numbers_of(self.size, self._order, epoch=epoch, drop_single=self.drop_single)
        )
        self._numbers.pop(epoch - 3, None)
        return len(self._numbers[epoch])

    def _drawn_anew(self, epoch: int) -> dict[int, list[Tensor]]:
        assert isinstance(self.source, Numbered)
        order, kept = torch.Generator().manual_seed(self.seed), dict(self._numbers)
        for one in range(epoch + 1):
            numbers = self.source.numbers_of(self.size, order, epoch=one, drop_single=self.drop_single)
        return kept | {epoch: list(numbers)}

    def _streamed(self, epoch: int, place: int) -> Images:
        assert isinstance(self.source, Streamed)
        if self._stream is None or self._stream[0] != epoch or self._stream[2] > place:
            begun = self.source.training_pass(self.size, self._order, epoch=epoch, drop_single=self.drop_single)
            self._stream = (epoch, begun.batches, 0)
        _, batches, at = self._stream
        for batch in batches:
            at += 1
            if at == place + 1:
                self._stream = (epoch, batches, at)
                return batch
        raise ValueError(f"the training iterable has fewer batches than its length says, in pass {epoch + 1}")
