"""A measurement at one delay as plain values: its settings and its results. This module does not need torch.

The files `measurements/delay=…_seed=….json` hold the record's `as_json()`, which contains that of the settings.
"""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

from tautune.trainables.theory.momentum import NO_MOMENTUM, Momentum
from tautune.trainables.theory.stability import check_delay
from tautune.trainables.threshold.search import Sample, Threshold
from tautune.trainables.threshold.update import Update, steps_vary

Json = dict[str, Any]
Key = tuple[int, int]
"""(delay, seed), which identifies a measurement in a sweep."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to measure at one delay."""

    delay: int
    """τ, in optimizer steps; the longest one where the update has delays of its own."""
    momentum: Momentum = NO_MOMENTUM
    update: Update | None = None
    """How gradients become steps, where it is not the paper's SGD with `momentum`."""
    mini_batch: int | None = None
    """Examples per step; None means the full batch."""
    seed: int = 0
    """Seed of the order of the mini-batches."""
    resolution: float = 0.005
    """Relative width of the threshold's bracket."""
    first_guess: float = 0.01
    """Learning rate at which the search begins."""
    departures: bool = True
    """Whether to measure, after the threshold, how soon training leaves the minimum."""

    def __post_init__(self) -> None:
        check_delay(self.delay)
        if self.mini_batch is not None and self.mini_batch < 1:
            raise ValueError(f"mini_batch must be at least 1, not {self.mini_batch!r}")
        if not 0 < self.resolution < 1:
            raise ValueError(f"resolution must be above 0 and below 1, not {self.resolution!r}")

    @property
    def m(self) -> float:
        """Returns the momentum, of whichever optimizer."""
        return self.update.m if self.update else self.momentum.value

    @property
    def varies(self) -> bool:
        """Returns whether steps differ by chance: by their mini-batch or their delay."""
        return steps_vary(self.mini_batch, self.update)

    def as_json(self) -> Json:
        """Returns a flat dictionary, in which the momentum takes two entries: `momentum` and `shifted`."""
        values = asdict(self)
        del values["update"]
        own = {"update": self.update.as_json()} if self.update else {}
        return {"delay": values.pop("delay"), **_flat(values.pop("momentum")), **values, **own}

    @classmethod
    def from_json(cls, values: Json) -> Self:
        """Returns the settings that `as_json` wrote; a missing entry gets its default."""
        rest = dict(values)
        momentum = Momentum(rest.pop("momentum", 0.0), rest.pop("shifted", False))
        update = rest.pop("update", None)
        return cls(momentum=momentum, update=Update.from_json(update) if update else None, **rest)


class Departure(NamedTuple):
    """A training that started near the minimum, at one learning rate, until it left or its budget was spent."""

    learning_rate: float
    steps: int
    left: bool


@dataclass(frozen=True, kw_only=True)
class MeasurementRecord:
    """A measurement at one delay, finished or not."""

    settings: Settings
    samples: tuple[Sample, ...] = ()
    """The learning rates that were tried, in the order of the trials."""
    departures: tuple[Departure, ...] = ()
    gradient_evaluations: float = 0.0
    """Cost of the threshold, in passes over the data set."""
    threshold: Threshold | None = None
    """The threshold; None until it is bracketed."""
    done: bool = False
    host: str | None = None
    """Name of the machine that measured it."""
    in_order: float | None = None
    """The aη at which the recursion with the ages of real workers, in their order, neither grows nor shrinks."""

    @property
    def key(self) -> Key:
        """Returns (delay, seed)."""
        return self.settings.delay, self.settings.seed

    def as_json(self) -> Json:
        """Returns the record as plain dictionaries, lists, texts and numbers."""
        return {
            "settings": self.settings.as_json(),
            "samples": [sample._asdict() for sample in self.samples],
            "departures": [departure._asdict() for departure in self.departures],
            "gradient_evaluations": self.gradient_evaluations,
            "threshold": self.threshold._asdict() if self.threshold else None,
            "done": self.done,
            "host": self.host,
            **({} if self.in_order is None else {"in_order": self.in_order}),
        }

    @classmethod
    def from_json(cls, values: Json) -> Self:
        """Returns the record that `as_json` wrote."""
        threshold = values["threshold"]
        return cls(
            settings=Settings.from_json(values["settings"]),
            samples=tuple(Sample(**sample) for sample in values["samples"]),
            departures=tuple(Departure(**departure) for departure in values["departures"]),
            gradient_evaluations=values["gradient_evaluations"],
            threshold=Threshold(**threshold) if threshold else None,
            done=values["done"],
            host=values.get("host"),
            in_order=values.get("in_order"),
        )


def _flat(momentum: Json) -> Json:
    return {"momentum": momentum["value"], "shifted": momentum["shifted"]}
