"""When a parameter server applies the gradients that have come: the modes, as rules that know no network."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol


class Ticket(Protocol):
    """A gradient that a worker computes, or has computed."""

    @property
    def number(self) -> int:
        """Returns its place in the order in which gradients were handed out to be computed, from 0."""

    @property
    def version(self) -> int:
        """Returns the updates that its weights have seen."""


@dataclass(frozen=True)
class Decision:
    """What is done next with gradients that have come: one update with some of them together, or none with one."""

    together: Sequence[int]
    """Places of the gradients, among those that wait."""
    drop: bool = False


class Mode(ABC):
    """A rule that says when gradients are applied, asked again and again as they come."""

    answers_at_once = False
    """Whether a worker goes on before its gradient is applied."""

    @abstractmethod
    def decide(self, waiting: Sequence[Ticket], out: Collection[Ticket], version: int) -> Decision | None:
        """Returns what to do next, or None where another gradient must come first.

        Args:
            waiting: the gradients that have come, in the order in which they did.
            out: those that are being computed.
            version: updates made so far.
        """

    def check(self, workers: int) -> None:  # noqa: B027 - most modes take any number
        """Raises ValueError if so many workers cannot train in this mode."""


class AsTheyCome(Mode):
    """Every gradient is applied when it comes."""

    def decide(self, waiting: Sequence[Ticket], out: Collection[Ticket], version: int) -> Decision | None:
        """Returns the first that came."""
        return Decision([0]) if waiting else None


class RoundRobin(Mode):
    """Gradients are applied in the order in which they were handed out: N workers in turn, each N-1 updates late.

    That is a `GradientQueue` of delay N-1, bit for bit.
    """

    def decide(self, waiting: Sequence[Ticket], out: Collection[Ticket], version: int) -> Decision | None:
        """Returns the one that was handed out first, if it has come."""
        if not waiting:
            return None
        first = min(range(len(waiting)), key=lambda place: waiting[place].number)
        return None if any(ticket.number < waiting[first].number for ticket in out) else Decision([first])


class Synchronous(Mode):
    """The gradients of all workers, at the same weights, are averaged: no gradient is late."""

    def decide(self, waiting: Sequence[Ticket], out: Collection[Ticket], version: int) -> Decision | None:
        """Returns all of them once all have come, in the order in which they were handed out."""
        return Decision(_in_order(waiting)) if waiting and not out else None


@dataclass(frozen=True)
class Bounded(Mode):
    """No gradient is applied that is more than `age` updates late.

    With `drop`, a gradient that has become older is thrown away, and its worker begins anew with the next batch (as in
    Ringmaster ASGD). Otherwise nobody's gradient becomes older: the others wait for the slowest worker (stale
    synchronous parallel).

    Raises:
        ValueError: the age is no integer of at least 0.
    """

    age: int
    drop: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.age, int) or isinstance(self.age, bool) or self.age < 0:
            raise ValueError(f"the largest age must be an integer of at least 0, not {self.age!r}")

    def check(self, workers: int) -> None:
        """Raises ValueError where not even workers of equal speed could keep below the age."""
        if not self.drop and self.age < workers - 1:
            raise ValueError(
                f"the largest age must be at least {workers - 1} to wait for {workers} workers, which read the same "
                f"weights at first, not {self.age}; drop what is older instead, or use fewer workers"
            )

    def decide(self, waiting: Sequence[Ticket], out: Collection[Ticket], version: int) -> Decision | None:
        """Returns the first that came and may be applied, or is to be dropped."""
        if not waiting:
            return None
        if self.drop:
            return Decision([0], drop=version - waiting[0].version > self.age)
        first = min(range(len(waiting)), key=lambda place: waiting[place].version)
        others = [ticket.version for ticket in (*waiting[:first], *waiting[first + 1 :], *out)]
        return Decision([first]) if version + 1 - min(others, default=version + 1) <= self.age else None


@dataclass(frozen=True)
class Buffered(Mode):
    """The next K gradients are averaged, whoever computed them, and workers do not wait for it (FedBuff).

    Source: Nguyen et al., "Federated Learning with Buffered Asynchronous Aggregation", AISTATS 2022 (arXiv 2106.06639),
    for one local step a worker.

    Raises:
        ValueError: K is no integer of at least 1.
    """

    size: int
    answers_at_once = True

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or isinstance(self.size, bool) or self.size < 1:
            raise ValueError(f"the buffer must hold an integer of at least 1 gradients, not {self.size!r}")

    def decide(self, waiting: Sequence[Ticket], out: Collection[Ticket], version: int) -> Decision | None:
        """Returns the first K, once there are so many."""
        return Decision(_in_order(waiting[: self.size])) if len(waiting) >= self.size else None


MODES = "as-they-come, round-robin, synchronous, wait:AGE, drop:AGE or buffered:K"


def parse_mode(text: str | Mode) -> Mode:
    """Returns the mode of that name: as-they-come, round-robin, synchronous, wait:7, drop:7 or buffered:4.

    Raises:
        ValueError: there is no such mode.
    """
    if isinstance(text, Mode):
        return text
    name, colon, number = str(text).partition(":")
    plain: dict[str, type[Mode]] = {
        "as-they-come": AsTheyCome,
        "round-robin": RoundRobin,
        "synchronous": Synchronous,
    }
    if name in plain and not colon:
        return plain[name]()
    if name in ("wait", "drop", "buffered") and number.isascii() and number.isdecimal():
        return Buffered(int(number)) if name == "buffered" else Bounded(int(number), drop=name == "drop")
    raise ValueError(f"mode must be {MODES}, not {text!r}")


def _in_order(tickets: Sequence[Ticket]) -> list[int]:
    return sorted(range(len(tickets)), key=lambda place: tickets[place].number)
