"""Schedules of delay: how many steps late the gradient of each step is."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from tautune.trainables.theory.stability import check_delay


@dataclass(frozen=True, kw_only=True)
class RandomDelay:
    """A delay drawn anew at each step.

    The draw at step t depends on (seed, t) alone, so a resumed run draws what an unbroken one would have drawn.

    Raises:
        ValueError: the probabilities are negative or do not sum to 1, or the seed is negative.
    """

    probabilities: tuple[float, ...]
    """probabilities[d] is the probability of a delay of d steps; they sum to 1."""
    seed: int = 0

    def __post_init__(self) -> None:
        p = tuple(float(share) for share in self.probabilities)
        if not p or not all(share >= 0 for share in p) or not abs(sum(p) - 1) <= 1e-6:
            raise ValueError(f"probabilities must be ≥ 0 and sum to 1, not {p!r}")
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, not {self.seed!r}")
        object.__setattr__(self, "probabilities", p)
        object.__setattr__(self, "seed", int(self.seed))

    @cached_property
    def maximum(self) -> int:
        """Returns the longest delay that can be drawn."""
        return len(self.probabilities) - 1

    @cached_property
    def minimum(self) -> int:
        """Returns 0: a short delay is never ruled out."""
        return 0

    def at(self, time: int) -> int:
        """Returns the delay of step `time`."""
        u = np.random.default_rng((self.seed, time)).random()
        return min(int(np.searchsorted(np.cumsum(self.probabilities), u, side="right")), self.maximum)


@dataclass(frozen=True)
class RecordedDelay:
    """The delays of a recorded run, one for each step; the last one holds for every step after the record's end.

    A single entry is a fixed delay.

    Raises:
        ValueError: there is no entry, or one is not an integer ≥ 0.
    """

    delays: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.delays) == 0:
            raise ValueError("a recorded delay needs at least one entry")
        for delay in self.delays:
            check_delay(delay)
        object.__setattr__(self, "delays", tuple(int(delay) for delay in self.delays))

    @cached_property
    def maximum(self) -> int:
        """Returns the longest delay of the record."""
        return max(self.delays)

    @cached_property
    def minimum(self) -> int:
        """Returns the shortest delay of the record."""
        return min(self.delays)

    def at(self, time: int) -> int:
        """Returns the delay of step `time`."""
        return self.delays[min(time, len(self.delays) - 1)]


class Trace(Protocol):
    """A recorded run, as `tautune.read_trace` returns it."""

    @property
    def delays(self) -> Sequence[int]:
        """Returns the delay of each step of a queue."""


Schedule = RecordedDelay | RandomDelay
OneDelay = int | Sequence[int] | Schedule | Trace
"""What a schedule can be made of."""


def as_schedule(delay: OneDelay) -> Schedule:
    """Returns the schedule that a number, a sequence of numbers, a recorded run or a schedule stands for."""
    if isinstance(delay, Schedule):
        return delay
    given: Any = getattr(delay, "delays", delay)
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if isinstance(given, Sequence):
        return RecordedDelay(tuple(given))
    return RecordedDelay((given,))
