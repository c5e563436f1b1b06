"""Batches by their numbers: whichever worker asks for one, it is the same batch."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch

Batches = Any
"""A function of a batch's number; batches in a sequence, which begins again at its end; or an iterable, such as a
DataLoader, which is passed over again and again and must have the same order in every worker."""


class NumberedBatches:
    """The batch of any number. An iterable is cheapest where the numbers grow, as they do for each worker.

    Raises:
        ValueError: it is none of `Batches`, or has no batch.
    """

    def __init__(self, batches: Batches) -> None:
        if not callable(batches) and not isinstance(batches, Iterable) and not hasattr(batches, "__getitem__"):
            raise ValueError(f"batches must be a function, a sequence or an iterable, not {type(batches).__name__}")
        if isinstance(batches, Iterator):
            raise ValueError(
                "batches must be an iterable that can be passed over again, such as a list, not an iterator"
            )
        if hasattr(batches, "__len__") and len(batches) == 0:
            raise ValueError("batches must hold at least one batch")
        self.batches = batches
        self._pass: Iterator[Any] | None = None
        self._next = 0

    def __call__(self, number: int) -> Any:
        """Returns the batch of that number, from 0."""
        if callable(self.batches):
            return self.batches(number)
        if hasattr(self.batches, "__getitem__") and hasattr(self.batches, "__len__"):
            return self.batches[number % len(self.batches)]
        return self._passed_over(number)

    def _passed_over(self, number: int) -> Any:
        if self._pass is None or number < self._next:
            self._pass, self._next = iter(self.batches), 0
        empty = False
        while True:
            for batch in self._pass:
                empty = False
                self._next += 1
                if self._next == number + 1:
                    return batch
            if empty:
                raise ValueError("the iterable of batches yields none")
            self._pass, empty = iter(self.batches), True


def seed_of(seed: int, batch: int) -> int:
    """Returns the seed of what is random in a batch: dropout, or how images are changed."""
    return (seed * 1_000_003 + batch) % 2**63


def seed_batch(seed: int, batch: int) -> None:
    """Seeds torch's generators, so that a batch has the same random numbers whichever worker computes it."""
    torch.manual_seed(seed_of(seed, batch))
