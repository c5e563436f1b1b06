"""Delays of gradients as shares: which part of the gradients, or of the network, is how many steps late.

The mean dynamics of every kind of delay are D(w) = Σ p_d w^d in the lag w:

    fixed      p_τ = 1
    drawn      p_d is the probability of a delay of d steps, drawn at each step independently of x
    recorded   p_d is the share of the record's entries that are d
    stages     p_d = Σ u_j² over the parameters j of the stages of delay d, where u is the unit eigenvector of the
               sharpest direction; exact where the Hessian is λ u uᵀ

The mean, a quantile and the maximum of the delays are all the wrong summary: uniform delays 0 … 8 are stable up to
aη = 0.54277, whereas a fixed delay of 4 is stable up to 0.34730.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from tautune.trainables.theory.stability import LARGEST_DELAY, check_delay

ROUNDING = 1e-6
"""Largest distance of a sum of shares from 1 that is taken for rounding."""


@dataclass(frozen=True)
class Delays:
    """Delays in steps, each with its share.

    Raises:
        ValueError: a delay is not an integer ≥ 0, there is none, or the shares are negative or do not sum to 1.
    """

    steps: tuple[int, ...]
    """The delays d that occur, in optimizer steps, each once, ascending."""
    shares: tuple[float, ...]
    """p_d > 0 of each; they sum to 1."""
    drawn: bool = False
    """Whether the delay changes at random from step to step, so that it adds noise to the mean dynamics."""
    of_stages: tuple[int, ...] = field(default=(), compare=False)
    """The delay of each stage, from the first to the last; empty where there are none, and no part of the dynamics."""

    @classmethod
    def fixed(cls, delay: int) -> "Delays":
        """Returns one delay τ for all gradients."""
        check_delay(delay)
        return cls((int(delay),), (1.0,))

    @classmethod
    def random(cls, probabilities: Mapping[int, float]) -> "Delays":
        """Returns a delay that is drawn anew at each step: {d: probability of d steps}."""
        return cls._merged(list(probabilities), list(probabilities.values()), drawn=len(probabilities) > 1)

    @classmethod
    def recorded(cls, delays: Sequence[int] | NDArray[Any]) -> "Delays":
        """Returns the delays of a recorded run, as if each step drew one of its entries."""
        entries = np.asarray(delays)
        if entries.ndim != 1 or not entries.size:
            raise ValueError("a recorded delay needs at least one entry, and one row of them")
        whole = entries.astype(np.int64, copy=False) if entries.dtype.kind in "iu" else _whole(entries)
        if whole.min() < 0 or whole.max() > LARGEST_DELAY:
            _refuse_entry(entries)
        steps, counts = np.unique(whole, return_counts=True)
        return cls(tuple(steps.tolist()), tuple((counts / len(entries)).tolist()), drawn=len(steps) > 1)

    @classmethod
    def stages(cls, delays: Sequence[int], shares: Sequence[float] | None = None) -> "Delays":
        """Returns stages of a pipeline with a delay each, and their shares of the sharpest eigenvector.

        Args:
            delays: of each stage, in optimizer steps.
            shares: Σ u_j² over the parameters of each stage; equal if not given.
        """
        if shares is None:
            shares = [1 / len(delays)] * len(delays) if delays else []
        elif len(shares) != len(delays):
            raise ValueError(f"shares must hold one number for each of the {len(delays)} stages, not {len(shares)}")
        return replace(cls._merged(list(delays), list(shares), drawn=False), of_stages=tuple(map(int, delays)))

    @classmethod
    def _merged(cls, delays: list[int], shares: list[float], *, drawn: bool) -> "Delays":
        for delay in delays:
            check_delay(delay)
        if not shares or not all(isinstance(share, Real) and share >= 0 for share in shares):
            raise ValueError(f"shares must be at least 0, and one of them above, not {_shown(shares)}")
        total = math.fsum(shares)
        if not abs(total - 1) <= ROUNDING:
            raise ValueError(f"shares must sum to 1, not to {total:g}")
        sums: dict[int, float] = {}
        for delay, share in zip(delays, shares, strict=True):
            sums[int(delay)] = sums.get(int(delay), 0.0) + share / total
        kept = sorted(delay for delay, share in sums.items() if share)
        return cls(tuple(kept), tuple(sums[delay] for delay in kept), drawn=drawn and len(kept) > 1)

    @property
    def maximum(self) -> int:
        """The longest delay, in steps."""
        return self.steps[-1]

    @property
    def mean(self) -> float:
        """Σ p_d d, in steps."""
        return math.fsum(d * p for d, p in zip(self.steps, self.shares, strict=True))

    @property
    def is_fixed(self) -> bool:
        """Whether there is one delay only."""
        return len(self.steps) == 1

    def __str__(self) -> str:
        """Returns a description such as "8" or "0 to 8, 4 on average"."""
        if self.is_fixed:
            return str(self.maximum)
        return f"{self.steps[0]} to {self.maximum}, {self.mean:.3g} on average"


def as_delays(delay: Any) -> Delays:
    """Returns the delays that a value stands for.

    A number is a fixed delay, a mapping holds the probabilities of delays that are drawn, or a text such as
    "0:0.5,4:0.5" does, and a sequence is a record.
    So are `tautune.RandomDelay` and a recorded delay of the gradient queue.
    """
    if isinstance(delay, Delays):
        return delay
    if isinstance(delay, str) and ":" in delay:
        return Delays.random(parse_shares(delay))
    if isinstance(delay, Mapping):
        return Delays.random(delay)
    probabilities = getattr(delay, "probabilities", None)  # a RandomDelay, which lies in a room above this one
    if probabilities is not None:
        return Delays.random({d: p for d, p in enumerate(probabilities) if p})
    delay = getattr(delay, "delays", delay)
    if isinstance(delay, Sequence | np.ndarray) and not isinstance(delay, str):
        return Delays.recorded(delay)
    return Delays.fixed(delay)


def parse_shares(text: str, name: str = "delay") -> dict[int, float]:
    """Returns {d: probability} for a text D:P,…; `name` is what the text is called in an error.

    Raises:
        ValueError: it is no such text, or has a delay twice.
    """
    found: dict[int, float] = {}
    for piece in text.split(","):
        delay, colon, share = piece.partition(":")
        try:
            steps, probability = int(delay), float(share)
        except ValueError:
            colon = ""
        if not colon:
            raise ValueError(f"{name} must be DELAY:SHARE, separated by commas, as in 0:0.5,4:0.5; {piece!r} is not")
        if steps in found:
            raise ValueError(f"{name} has the delay {steps} twice")
        found[steps] = probability
    return found


def shares_text(delays: Delays) -> str:
    """Returns delays that are drawn as the text that `as_delays` takes."""
    return ",".join(f"{d}:{p!r}" for d, p in zip(delays.steps, delays.shares, strict=True))


def _whole(entries: NDArray[Any]) -> NDArray[np.int64]:
    """Returns entries that may be floats, as a table's column is, as integers."""
    if entries.dtype.kind != "f" or not (np.isfinite(entries) & (entries == np.floor(entries))).all():
        _refuse_entry(entries)
    whole: NDArray[np.int64] = np.clip(entries, -1, LARGEST_DELAY + 1).astype(np.int64)
    return whole


def _refuse_entry(entries: NDArray[Any]) -> NoReturn:
    for place, entry in enumerate(entries.tolist(), 1):
        try:
            check_delay(int(entry) if isinstance(entry, float) and entry.is_integer() else entry)
        except ValueError as error:
            raise ValueError(f"entry {place} of the recorded delays: {error}") from None
    raise ValueError("the recorded delays must be integers ≥ 0 (optimizer steps)")


def _shown(numbers: Sequence[object]) -> str:
    return ", ".join(map(str, numbers[:5])) + (" …" if len(numbers) > 5 else "") if numbers else "none"
