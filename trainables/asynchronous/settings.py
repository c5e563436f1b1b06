"""How many workers compute gradients, when these are applied, and what each worker takes. Nothing here needs torch."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from tautune.trainables.asynchronous.modes import parse_mode


@dataclass(frozen=True, kw_only=True)
class Workers:
    """The workers of an asynchronous training.

    Raises:
        ValueError: a value is out of its bounds, or so many workers cannot train in this mode.
    """

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
        if not isinstance(self.count, int) or isinstance(self.count, bool) or self.count < 1:
            raise ValueError(f"workers must be an integer of at least 1, not {self.count!r}")
        parse_mode(self.mode).check(self.count)
        for name, value in (("cpus", self.cpus), ("gpus", self.gpus)):
            if value is not None and not 0 <= value < float("inf"):
                raise ValueError(f"{name}_per_worker must be a finite number of at least 0, not {value!r}")
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

    def missing(self, cpus: float, gpus: float) -> str:
        """Returns what a cluster of so many CPUs and GPUs lacks to hold all workers, in a clause; nothing if none."""
        for kind, each, there in (("CPU", self.cpus or 0.0, cpus), ("GPU", self.gpus, gpus)):
            if each * self.count > there + 1e-9:
                return (
                    f"{self.count} workers of {each:g} {kind} each need {each * self.count:g} {kind}, and the cluster "
                    f"has {there:g} for them: {each * self.count - there:g} are missing"
                )
        return ""
