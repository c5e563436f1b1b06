"""Examples that are read while training: a map-style Dataset, and iterables of batches such as a DataLoader."""

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from tautune.trainables.supervised.datasets import Images
from tautune.trainables.supervised.normalization import Normalization, are_tokens
from tautune.trainables.supervised.steps import check_tokens


@dataclass(frozen=True)
class Loaded:
    """The examples of a map-style Dataset: each is a pair (inputs, targets), and is read when it is used.

    torch's DataLoader reads them in batches. Its own random numbers come from torch, numpy and Python, which are
    seeded at the beginning of each pass.
    """

    dataset: Any
    vocabulary: int | None = None
    device: torch.device | str = "cpu"

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def shape(self) -> tuple[int, ...]:
        """Returns the shape of one input."""
        return next(self.parts([torch.tensor([0])])).shape

    def parts(self, batches: Iterable[Tensor], *, checked: bool = True) -> Iterator[Images]:
        """Yields the examples of each batch of numbers.

        Args:
            batches: the numbers.
            checked: whether they are looked through for NaN.

        Raises:
            ValueError: the Dataset does not hold what it says.
        """
        numbers = [batch.tolist() for batch in batches]
        loader: Iterable[Any] = DataLoader(_Told(self.dataset), batch_sampler=numbers)
        for number, batch in enumerate(loader, start=1):
            name = f"batch {number} of the data set"
            yield examples_in(batch, name, self.vocabulary, checked=checked).to(self.device)

    def normalization(self, numbers: Tensor, *, wanted: bool) -> Normalization:
        """Returns none: the Dataset brings its examples into the model's scale."""
        return Normalization.none()

    def scale(self, numbers: Tensor) -> Normalization:
        """Returns none, as `normalization` does."""
        return Normalization.none()

    def to(self, device: torch.device | str) -> "Loaded":
        """Returns the same examples, which are brought to another device."""
        return replace(self, device=device)


class _Told(Dataset[Any]):
    """A Dataset which says what is wrong where it has fewer examples than its length."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __getitems__(self, numbers: Sequence[int]) -> list[Any]:
        if not getattr(self.dataset, "__getitems__", None):
            return [self[number] for number in numbers]
        with self._told(f"in a batch with number {max(numbers)}"):
            return list(self.dataset.__getitems__(numbers))

    def __getitem__(self, number: int) -> Any:
        with self._told(f"at number {number}"):
            return self.dataset[number]

    @contextmanager
    def _told(self, where: str) -> Iterator[None]:
        try:
            yield
        except (IndexError, KeyError) as error:
            said = f"the data set says that it has {len(self.dataset)} examples"
            raise ValueError(f"{said}, and raises {type(error).__name__} {where}") from error


@dataclass(frozen=True)
class Streams:
    """Iterables of batches (inputs, targets), which are passed over again and again and need not fit in memory.

    A pass is repeatable from its beginning if an iterable takes its random numbers from torch, numpy or Python, from
    the generator of a DataLoader, or from the number of the pass, which `set_epoch` is told where there is one.
    """

    iterables: tuple[Any, ...]
    names: tuple[str, ...]
    """What each is called in a message."""
    vocabulary: int | None = None
    device: torch.device | str = "cpu"

    def __len__(self) -> int:
        return len(self.iterables)

    @property
    def shape(self) -> tuple[int, ...]:
        """Returns the shape of one input."""
        return self.first(0).shape

    def first(self, number: int) -> Images:
        """Returns the first batch of an iterable. Raises ValueError if it has none."""
        return next(self.batches([number]))

    def length(self, number: int) -> int | None:
        """Returns how many batches an iterable has, if it knows."""
        try:
            return len(self.iterables[number])
        except TypeError:
            return None

    def batches(
        self, numbers: Iterable[int], *, generator: torch.Generator | None = None, epoch: int = 0, checked: bool = True
    ) -> Iterator[Images]:
        """Yields the batches of some iterables, one after another.

        Args:
            generator: draws the seeds of a pass that trains; a pass that validates is the same one each time.
            epoch: number of passes before this one.
            checked: whether the batches are looked through for NaN.

        Raises:
            ValueError: an iterable is empty, or a batch is not what it must be.
        """
        for number in numbers:
            iterable, name, count = self.iterables[number], self.names[number], 0
            begin_pass(iterable, seed=0 if generator is None else drawn(generator), epoch=epoch)
            for count, batch in enumerate(iterable, start=1):  # noqa: B007
                called = f"batch {count} of the {name} iterable"
                yield examples_in(batch, called, self.vocabulary, checked=checked).to(self.device)
            if not count:
                raise ValueError(f"the {name} iterable yields no batch in pass {epoch + 1}")

    def to(self, device: torch.device | str) -> "Streams":
        """Returns the same iterables, whose batches are brought to another device."""
        return replace(self, device=device)


def drawn(generator: torch.Generator) -> int:
    """Returns a seed for what has generators of its own; the generator goes on as if it had not been asked."""
    copy = torch.Generator()
    copy.set_state(generator.get_state())
    return int(torch.randint(2**32, (), generator=copy))


def begin_pass(iterable: Any, *, seed: int, epoch: int) -> None:
    """Seeds all that an iterable may take its order from, but torch's own generator, which checkpoints keep."""
    random.seed(seed)
    np.random.seed(seed)
    sampler = getattr(iterable, "sampler", None)
    for generator in (getattr(iterable, "generator", None), getattr(sampler, "generator", None)):
        if isinstance(generator, torch.Generator):
            generator.manual_seed(seed)
    for owner in (iterable, sampler, getattr(iterable, "dataset", None)):
        if callable(tell := getattr(owner, "set_epoch", None)):
            tell(epoch)


def examples_in(batch: Any, name: str, vocabulary: int | None, *, checked: bool = True) -> Images:
    """Returns a batch (inputs, targets) of tensors. Raises ValueError if it is none, or is found to hold NaN."""
    if not isinstance(batch, list | tuple) or len(batch) != 2:
        raise ValueError(f"{name} must be a pair (inputs, targets), not a {type(batch).__name__}")
    inputs, targets = (value if isinstance(value, Tensor) else _collated(value, name) for value in batch)
    if inputs.ndim == 0 or targets.ndim == 0 or len(inputs) != len(targets):
        raise ValueError(f"{name} must have as many inputs as targets, not {inputs.shape} and {targets.shape}")
    if are_tokens(inputs):
        check_tokens(f"{name}: inputs", inputs, vocabulary)
    examples = Images(inputs, targets)
    if checked:
        check_finite(examples, name)
    return examples


def check_finite(examples: Images, name: str) -> None:
    """Raises ValueError if a batch of that name holds NaN or infinite numbers."""
    for part, values in (("inputs", examples.pixels), ("targets", examples.targets)):
        if values.is_floating_point() and not bool(values.isfinite().all()):
            raise ValueError(f"{name} has {part} that are NaN or infinite")


def _collated(value: Any, name: str) -> Tensor:
    try:
        tensor = default_collate(value)
    except TypeError:
        tensor = None
    if not isinstance(tensor, Tensor):
        raise ValueError(f"{name} must be tensors, not {type(value).__name__}")
    return tensor
