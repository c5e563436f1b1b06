"""Data whose examples are cut out of a sequence: a series to forecast, a text to continue.

Shapes: T steps, C channels of a series.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor

from tautune.trainables.supervised.steps import Steps, check_tokens


@dataclass(frozen=True, kw_only=True)
class Series:
    """A series to forecast: the next `horizon` steps of all its channels.

    Raises:
        ValueError: something would spoil a training, or its one evaluation, later.
    """

    training: Tensor
    """[T] or [T, C], in the order of time."""
    test: Tensor
    """The steps that follow, for one evaluation after all tuning is done."""
    horizon: int
    """Steps to forecast."""
    window: int = 24
    """Steps that the model sees, unless the space has a `window`."""
    columns: tuple[str, ...] = ()
    """Names of the channels, by which `tautune predict` finds them in a file."""

    def __post_init__(self) -> None:
        for name in ("training", "test"):
            values = _tensor(name, getattr(self, name))
            if values.ndim not in (1, 2) or values.is_complex():
                raise ValueError(f"{name} must be numbers [T] or [T, C], not {values.dtype} {tuple(values.shape)}")
            values = (values.unsqueeze(1) if values.ndim == 1 else values).float()
            if not bool(values.isfinite().all()):
                step = int((~values.isfinite().all(dim=1)).nonzero()[0])
                raise ValueError(f"{name} must be finite numbers; step {step} is not")
            object.__setattr__(self, name, values)
        for name in ("horizon", "window"):
            _check_steps(name, getattr(self, name))
        if self.training.shape[1] != self.test.shape[1]:
            raise ValueError(f"test must have {self.training.shape[1]} channels, not {self.test.shape[1]}")
        if self.columns and len(self.columns) != self.training.shape[1]:
            raise ValueError(f"columns must be {self.training.shape[1]} names, or none, not {len(self.columns)}")
        if len(self.test) < self.horizon:
            raise ValueError(f"test must have at least {self.horizon} steps, the horizon, not {len(self.test)}")

    @property
    def train(self) -> Steps:
        """Returns the steps to train on."""
        return Steps(self.training, self.window, self.horizon)

    @property
    def whole(self) -> tuple[Steps, tuple[Tensor, Tensor]]:
        """Returns all steps, and which of them are for training and for the test."""
        steps = torch.arange(len(self.training) + len(self.test))
        divided = steps[: len(self.training)], steps[len(self.training) :]
        return Steps(torch.cat([self.training, self.test]), self.window, self.horizon), divided

    @property
    def held_out(self) -> Tensor:
        """Returns the steps of the test."""
        return self.test

    @property
    def vocabulary(self) -> None:
        """Returns None: a series has no tokens."""
        return


@dataclass(frozen=True, kw_only=True)
class Text:
    """A text to continue, as the ids of its tokens.

    Raises:
        ValueError: something would spoil a training, or its one evaluation, later.
    """

    training: Tensor
    """Ids of tokens [T]."""
    test: Tensor
    """Another text, or the end of the same one, for one evaluation after all tuning is done."""
    validation: Tensor | None = None
    """A text to compare configurations by; without it, that is the end of the training text."""
    vocabulary: int | None = None
    """How many tokens there are; None means 256 where all are bytes, or as many as there are symbols."""
    window: int = 64
    """Tokens that the model sees, unless the space has a `window`."""
    symbols: str = ""
    """The characters that the ids stand for; without them, a text is its bytes in UTF-8."""

    def __post_init__(self) -> None:
        _check_steps("window", self.window)
        size = self.vocabulary or len(self.symbols) or 256
        if self.symbols and len(self.symbols) != size:
            raise ValueError(f"symbols must be {size} characters, or none, not {len(self.symbols)}")
        object.__setattr__(self, "vocabulary", size)
        for name in ("training", "test", *(() if self.validation is None else ("validation",))):
            tokens = _tensor(name, getattr(self, name))
            if tokens.ndim != 1 or tokens.is_floating_point() or tokens.is_complex():
                raise ValueError(f"{name} must be ids of tokens [T], not {tokens.dtype} {tuple(tokens.shape)}")
            check_tokens(name, tokens, size)
            object.__setattr__(self, name, tokens.long())
        if len(self.test) < 2:
            raise ValueError(f"test must have at least 2 tokens, not {len(self.test)}")

    @property
    def train(self) -> Steps:
        """Returns the tokens that are not for the test: those to train on, and behind them those that validate."""
        more = () if self.validation is None else (self.validation,)
        return Steps(torch.cat([self.training, *more]), self.window, 0)

    @property
    def division(self) -> tuple[Tensor, Tensor] | None:
        """Returns which of `train` are to train and to validate, where that was given."""
        if self.validation is None:
            return None
        numbers = torch.arange(len(self.training) + len(self.validation))
        return numbers[: len(self.training)], numbers[len(self.training) :]

    @property
    def whole(self) -> tuple[Steps, tuple[Tensor, Tensor]]:
        """Returns all tokens, and which of them are for training and for the test."""
        before = self.train.values
        tokens = torch.arange(len(before) + len(self.test))
        divided = tokens[: len(before)], tokens[len(before) :]
        return Steps(torch.cat([before, self.test]), self.window, 0), divided

    @property
    def digest(self) -> str:
        """Returns the SHA-256 of all its tokens, by which two machines know whether they had the same text."""
        return sha256(self.whole[0].values.numpy().tobytes()).hexdigest()

    @property
    def held_out(self) -> Tensor:
        """Returns the tokens of the test."""
        return self.test


def _tensor(name: str, values: Any) -> Tensor:
    if not isinstance(values, Tensor):
        raise ValueError(f"{name} must be a torch.Tensor, not {type(values).__name__}; see torch.from_numpy")
    return values


def _check_steps(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, not {value!r}")
