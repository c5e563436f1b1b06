"""Where one training's batches come from: examples that are numbered, or iterables that are passed over."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from tautune.trainables.supervised.datasets import Images
from tautune.trainables.supervised.normalization import Normalization
from tautune.trainables.supervised.splits import Split
from tautune.trainables.supervised.steps import Steps
from tautune.trainables.supervised.streams import Loaded, Streams, begin_pass, drawn

EVALUATED = 500
"""Examples in a batch that is evaluated."""


class Examples(Protocol):
    """Examples that have numbers."""

    def __len__(self) -> int: ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Returns the shape of one input."""

    def parts(self, batches: Iterable[Tensor]) -> Iterator[Images]:
        """Yields the examples of each batch of numbers."""

    def normalization(self, numbers: Tensor, *, wanted: bool) -> Normalization:
        """Returns that of the inputs, by the numbered examples."""

    def scale(self, numbers: Tensor) -> Normalization:
        """Returns that of the targets, by the numbered examples."""


@dataclass(frozen=True)
class Pass:
    """The batches of one pass over the training examples."""

    batches: Iterator[Images]
    number: int | None
    """How many they are, where that is known."""
    unchecked: str = ""
    """What they are of, where nobody has looked for NaN yet: that is done when a loss is not finite."""


class Numbered:
    """Examples with numbers, of which those of a split train, in a new order at each pass, and others validate."""

    def __init__(self, examples: Examples, split: Split) -> None:
        self.examples, (self.training, validation) = examples, split
        self.shape = examples.shape
        self._validation = examples.to_validate(validation) if isinstance(examples, Steps) else validation
        self.validates = len(self._validation) > 0
        self._kept: list[Images] | None = None

    def training_pass(self, size: int, generator: torch.Generator, *, epoch: int, drop_single: bool) -> Pass:
        """Returns the batches of one pass.

        Args:
            size: examples in a batch.
            generator: draws their order.
            epoch: number of passes before this one.
            drop_single: whether a last batch of one example is left out, which batch normalization cannot take.
        """
        batches = self.numbers_of(size, generator, epoch=epoch, drop_single=drop_single)
        if isinstance(self.examples, Loaded):
            unchecked = on_processor(self.examples.device)
            parts = self.examples.parts(batches, checked=not unchecked)
            return Pass(parts, len(batches), "the data set" if unchecked else "")
        return Pass(iter(self.examples.parts(batches)), len(batches))

    def numbers_of(self, size: int, generator: torch.Generator, *, epoch: int, drop_single: bool) -> Sequence[Tensor]:
        """Returns the numbers of the examples in each batch of one pass; the arguments are those of a pass."""
        numbers = self.training
        if isinstance(self.examples, Steps):
            room = self.examples.room(numbers)
            moved = int(torch.randint(room, (), generator=generator)) if room > 1 else 0
            numbers = self.examples.to_train(numbers, moved)
        if isinstance(self.examples, Loaded):
            begin_pass(None, seed=drawn(generator), epoch=epoch)
        batches: Sequence[Tensor] = numbers[torch.randperm(len(numbers), generator=generator)].split(size)
        if drop_single and len(batches) > 1 and len(batches[-1]) == 1 < size:
            batches = batches[:-1]
        return batches

    def validation(self) -> Iterable[Images]:
        """Yields the examples that validate."""
        batches = self._validation.split(EVALUATED)
        if not isinstance(self.examples, Images):
            return self.examples.parts(batches)
        if self._kept is None:
            self._kept = list(self.examples.parts(batches))
        return self._kept

    def normalization(self, *, wanted: bool) -> Normalization:
        """Returns that of the inputs, by the training examples."""
        return self.examples.normalization(self.training, wanted=wanted)

    def scale(self) -> Normalization:
        """Returns that of the targets, by the training examples."""
        return self.examples.scale(self.training)


class Streamed:
    """Iterables of batches, of which those of a split train, one after another, and others validate."""

    def __init__(self, streams: Streams, split: Split) -> None:
        self.streams, (training, validation) = streams, split
        self.training, self._validation = training.tolist(), validation.tolist()
        self.shape, self.validates = streams.shape, len(validation) > 0

    def training_pass(self, size: int, generator: torch.Generator, *, epoch: int, drop_single: bool) -> Pass:
        """Returns the batches of one pass, as they come; the arguments are those of `Numbered`."""
        del size
        lengths = [self.streams.length(number) for number in self.training]
        known = None if None in lengths else sum(length or 0 for length in lengths)
        unchecked = on_processor(self.streams.device)
        batches = self.streams.batches(self.training, generator=generator, epoch=epoch, checked=not unchecked)
        kept = (batch for batch in batches if len(batch) > 1) if drop_single else batches
        return Pass(kept, known, "the training iterable" if unchecked else "")

    def validation(self) -> Iterable[Images]:
        """Yields the examples that validate."""
        return self.streams.batches(self._validation)

    def normalization(self, *, wanted: bool) -> Normalization:
        """Returns none: what reads the data brings them into the model's scale."""
        return Normalization.none()

    def scale(self) -> Normalization:
        """Returns none, as `normalization` does."""
        return Normalization.none()


def on_processor(device: torch.device | str) -> bool:
    """Returns whether training is on the CPU, where to look through each batch for NaN would take time from it.

    An accelerator trains meanwhile, and would have to be waited for to learn its loss.
    """
    return torch.device(device).type == "cpu"


Source = Numbered | Streamed


def source_of(examples: Any, split: Split, *, window: int | None = None) -> Source:
    """Returns the source of a training: some examples, divided, and cut for its `window`."""
    if isinstance(examples, Streams):
        return Streamed(examples, split)
    return Numbered(examples.cut(window) if isinstance(examples, Steps) else examples, split)


def source_of_test(data: Any, *, window: int | None = None) -> Source:
    """Returns the source whose `validation` is the test part of some data.

    The first forecasts of a series see what came before its test part.
    """
    if hasattr(data, "whole"):
        steps, divided = data.whole
        return source_of(steps, divided, window=window)
    return source_of(data.held_out, (torch.arange(0), torch.arange(len(data.held_out))), window=window)
