"""Data of any task: pairs (inputs, targets) as tensors, as a map-style Dataset, or as iterables of batches."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, IterableDataset

from tautune.trainables.supervised.datasets import Images, vocabulary_of
from tautune.trainables.supervised.splits import Split
from tautune.trainables.supervised.steps import check_tokens
from tautune.trainables.supervised.streams import Loaded, Streams

Part = Any
"""A pair (inputs, targets) of tensors, a map-style Dataset of such pairs, or an iterable of batches of them."""
PARTS = ("training", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class Data:
    """Examples to train on, and others for one evaluation after all tuning is done.

    Tensors stay in memory, are shared by all trials of a host, and are normalized by their training part. A Dataset is
    read example by example, and an iterable batch by batch, in the processes that train; both bring their inputs and
    targets in the scale that the model takes. An iterable must be one that can be passed over again and again, such as
    a DataLoader.

    Raises:
        ValueError: something would spoil a training, or its one evaluation, later.
    """

    training: Part
    """What to train on. Without `validation`, a share of it is held out to compare configurations."""
    test: Part
    """What is evaluated once, by `tautune refit`."""
    validation: Part = None
    """What configurations are compared by; iterables need it, since they cannot be divided."""
    columns: tuple[str, ...] = ()
    """Names of the numbers of an input [C], by which `tautune predict` finds them in a file."""
    target_names: tuple[str, ...] = ()
    """Names of the numbers of a target, which become the columns of what is predicted."""
    class_names: tuple[str, ...] = ()
    """Names in the order of the classes' numbers; without them, the numbers are the names."""
    classes: int | None = None
    """How many classes there are; None means what the training targets have, which only tensors tell."""
    vocabulary: int | None = None
    """How many token ids there are; None means what the inputs have, which only tensors tell."""

    def __post_init__(self) -> None:
        for name in PARTS:
            if name != "validation" or self.validation is not None:
                object.__setattr__(self, name, _part(name, getattr(self, name), self.vocabulary))
        kinds = {type(part) for part in self._parts}
        if len(kinds) > 1:
            raise ValueError("training, validation and test must be of one kind: tensors, Datasets or iterables")
        if isinstance(self.training, Streams) and self.validation is None:
            raise ValueError("validation must be given with an iterable, which cannot be divided")
        shape = self.shape
        for name, part in zip(("validation", "test"), (self.validation, self.test), strict=True):
            if part is not None and part.shape != shape:
                raise ValueError(f"{name} inputs must have the training inputs' shape {shape}, not {part.shape}")
        if isinstance(self.training, Images):
            self._check_tensors()
        if self.columns and shape != (len(self.columns),):
            raise ValueError(f"columns must be the {math.prod(shape)} names of an input, not {len(self.columns)}")

    def _check_tensors(self) -> None:
        if self.vocabulary is None:
            object.__setattr__(self, "vocabulary", vocabulary_of(*self._parts))
        for name in PARTS:
            part = getattr(self, name)
            if part is not None:
                if self.vocabulary is not None:
                    check_tokens(f"{name} inputs", part.pixels, self.vocabulary)
                if part.targets.shape[1:] != self.training.targets.shape[1:]:
                    wanted, found = tuple(self.training.targets.shape[1:]), tuple(part.targets.shape[1:])
                    raise ValueError(f"{name} targets must have the training targets' shape {wanted}, not {found}")

    @property
    def _parts(self) -> list[Any]:
        return [part for part in (self.training, self.validation, self.test) if part is not None]

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Returns the shape of one input."""
        return tuple(self.training.shape)

    @cached_property
    def train(self) -> Any:
        """Returns what is not for the test: the examples to train on, and behind them those that validate."""
        more = self.validation
        if isinstance(self.training, Streams):
            return Streams((*self.training.iterables, *more.iterables), ("training", "validation"), self.vocabulary)
        if more is None:
            return self.training
        if isinstance(self.training, Loaded):
            return Loaded(ConcatDataset([self.training.dataset, more.dataset]), self.vocabulary)
        inputs, targets = ((self.training.pixels, more.pixels), (self.training.targets, more.targets))
        return Images(torch.cat(inputs), torch.cat(targets))

    @property
    def held_out(self) -> Any:
        """Returns the examples of the test."""
        return self.test

    @property
    def division(self) -> Split | None:
        """Returns which of `train` are to train and to validate, where that was given."""
        if self.validation is None:
            return None
        numbers = torch.arange(len(self.train))
        return numbers[: len(self.training)], numbers[len(self.training) :]

    def some(self, part: str = "training") -> Images:
        """Returns a few of the examples of a part."""
        examples = getattr(self, part)
        if isinstance(examples, Streams):
            return examples.first(0)
        found: Images = next(examples.parts([torch.arange(min(len(examples), 8))]))
        return found


def _part(name: str, given: Any, vocabulary: int | None) -> Images | Loaded | Streams:
    if isinstance(given, Images | Loaded | Streams):
        found: Images | Loaded | Streams = given
    elif isinstance(given, tuple | list) and len(given) == 2 and all(isinstance(each, Tensor) for each in given):
        found = Images(*given)
    elif isinstance(given, IterableDataset):
        raise ValueError(f"{name} is an IterableDataset, which yields examples; give a DataLoader of it, with batches")
    elif all(hasattr(given, needed) for needed in ("__getitem__", "__len__")) and not isinstance(given, tuple | list):
        found = Loaded(given, vocabulary)
    elif isinstance(given, Iterable) and not isinstance(given, str | bytes | dict | tuple | Tensor):
        if hasattr(given, "__next__"):
            raise ValueError(
                f"{name} can be passed over only once; give something that can be passed over again, such as a "
                "DataLoader, or an object whose __iter__ begins anew"
            )
        found = Streams((given,), (name,), vocabulary)
    else:
        kinds = "a pair (inputs, targets) of tensors, a map-style Dataset, or an iterable of batches"
        raise ValueError(f"{name} must be {kinds}, not a {type(given).__name__}")
    _check(name, found)
    return found


def _check(name: str, part: Images | Loaded | Streams) -> None:
    if not len(part):
        raise ValueError(f"there are no {name} examples")
    if isinstance(part, Images):
        for kind, values in (("inputs", part.pixels), ("targets", part.targets)):
            if values.is_floating_point() and not bool(values.isfinite().all()):
                row = int(
                    (~values.flatten(1).isfinite().all(dim=1) if values.ndim > 1 else ~values.isfinite()).nonzero()[0]
                )
                raise ValueError(f"{name} {kind} must be finite numbers; that of example {row} is not")
    elif isinstance(part, Loaded):
        list(part.parts([torch.tensor([0]), torch.tensor([len(part) - 1])]))  # whose length lies, does so at its end
    else:
        part.first(0)
