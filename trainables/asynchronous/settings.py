"""How many processes train together, in what way, and what each of them takes. Nothing here needs torch."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol, Self

from tautune.trainables.asynchronous.modes import parse_mode


class Places(Protocol):
    """Processes of one training that take part of a cluster, beside the one that has begun it."""

    noun: ClassVar[str]
    """What one of them is called."""

    @property
    def count(self) -> int: ...
    @property
    def cpus(self) -> float | None: ...
    @property
    def gpus(self) -> float: ...


@dataclass(frozen=True, kw_only=True)
class Workers:
    """The workers of an asynchronous training.

    Raises:
        ValueError: a value is out of its bounds, or so many workers cannot train in this mode.
    """

    noun: ClassVar[str] = "worker"
    count: int
    """N."""
    mode: str = "as-they-come"
    """When gradients are applied; see `parse_mode`."""
    cpus: float | None = None
    """CPU cores that each worker takes; None for one, or for as much less as makes all of them fit."""
    gpus: float = 0.0
    """GPUs that each worker takes; with a fraction, workers share one."""
    slowdown: tuple[float, ...] = ()
    """How many times as long as it needs each worker takes for a gradient; without it, all are as fast as they can."""

    def __post_init__(self) -> None:
        _check(self)
        parse_mode(self.mode).check(self.count)
        if len(self.slowdown) not in (0, self.count):
            many = f"one for each of the {self.count} workers"
            raise ValueError(f"slowdown must hold {many}, not {len(self.slowdown)} of them")
        for factor in self.slowdown:
            if not 1 <= factor < float("inf"):
                raise ValueError(f"a slowdown must be a finite factor of at least 1, not {factor!r}")

    def __str__(self) -> str:
        """Returns a description such as "4 workers, round-robin, slowed down by 1, 1, 1, 4"."""
        slow = f", slowed down by {', '.join(f'{factor:g}' for factor in self.slowdown)}" if self.slowdown else ""
        mode = f", {self.mode}" if self.mode != "as-they-come" else ""
        return f"{self.count} worker{'s' if self.count > 1 else ''}{mode}{slow}"

    def as_json(self) -> dict[str, Any]:
        """Returns the settings as plain values."""
        return asdict(self) | {"slowdown": list(self.slowdown)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Returns the settings that `as_json` wrote."""
        return cls(**values | {"slowdown": tuple(values["slowdown"])})


@dataclass(frozen=True, kw_only=True)
class Stages:
    """The stages of an asynchronous pipeline.

    Raises:
        ValueError: a value is out of its bounds.
    """

    noun: ClassVar[str] = "stage"
    count: int
    """S."""
    stashing: bool = True
    """Whether a backward pass has the weights of its forward pass, which are kept for it."""
    cpus: float | None = None
    """CPU cores that each stage takes; None for one, or for as much less as makes all of them fit."""

    def __post_init__(self) -> None:
        _check(self)

    @property
    def gpus(self) -> float:
        """Returns the GPUs that each stage takes: stages compute on the CPU."""
        return 0.0

    def __str__(self) -> str:
        """Returns a description such as "4 stages, without weight stashing"."""
        stashing = "" if self.stashing else ", without weight stashing"
        return f"{self.count} stage{'s' if self.count > 1 else ''}{stashing}"

    def as_json(self) -> dict[str, Any]:
        """Returns the settings as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Returns the settings that `as_json` wrote."""
        return cls(**values)


def missing(places: Places, cpus: float, gpus: float) -> str:
    """Returns what a cluster of so many CPUs and GPUs lacks to hold all of them, in a clause; nothing if none."""
    for kind, each, there in (("CPU", places.cpus or 0.0, cpus), ("GPU", places.gpus, gpus)):
        if each * places.count > there + 1e-9:
            return (
                f"{places.count} {places.noun}s of {each:g} {kind} each need {each * places.count:g} {kind}, and the "
                f"cluster has {there:g} for them: {each * places.count - there:g} are missing"
            )
    return ""


def _check(places: Places) -> None:
    count, noun = places.count, places.noun
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ValueError(f"{noun}s must be an integer of at least 1, not {count!r}")
    for name, value in (("cpus", places.cpus), ("gpus", places.gpus)):
        if value is not None and not 0 <= value < float("inf"):
            raise ValueError(f"{name}_per_{noun} must be a finite number of at least 0, not {value!r}")
