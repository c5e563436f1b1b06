"""A sweep: what is asked for, and what of it is missing in a folder. Nothing here needs Ray."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tautune.runners.shared import check, check_delays, check_mini_batch, folder_name
from tautune.search_spaces.catalogue import CATALOGUE, check_study
from tautune.trainables.theory import stability
from tautune.trainables.theory.momentum import NO_MOMENTUM, Momentum
from tautune.trainables.threshold.record import MeasurementRecord, Settings

if TYPE_CHECKING:
    from tautune.search_spaces.stability_study import StabilityStudy

Json = dict[str, Any]
DELAYS = (0, 1, 2, 4, 8, 16, 32)
SEEDS = 3
"""Orders of the mini-batches that a sweep repeats with, if nobody says how many."""
UNGUIDED = 0.01
"""Learning rate at which a search begins that is not to know what theory says."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What to measure.

    Raises:
        ValueError: a value is out of its bounds; the message begins with the parameter's name.
    """

    study: StabilityStudy | str
    """A study, the name of one of ours, or the path of a file that sets STUDY."""
    delays: tuple[int, ...] = DELAYS
    """τ, in optimizer steps."""
    momentum: Momentum = NO_MOMENTUM
    resolution: float = 0.005
    """Relative width of a threshold's bracket."""
    mini_batch: int | None = None
    """Examples a step; None is the full batch."""
    seeds: int | None = None
    """Orders of the mini-batches to repeat with; a full batch has none to vary."""
    device: str = "auto"
    """cpu, cuda, or auto: cuda where there is a GPU."""
    first_guess: float | None = 1.0
    """Where each search begins, as a multiple of theory's threshold; None: at `UNGUIDED`, whatever theory says."""
    departures: bool = True
    """Whether to watch as well how soon training leaves the minimum above the threshold."""
    tolerance: float = 1e-6
    """Gradient norm at the minimum, relative to its value where training began."""
    budget: int = 20_000
    """Gradient evaluations in which the minimum has to be reached."""

    def __post_init__(self) -> None:
        check_delays(self.delays)
        check("resolution", self.resolution, 1e-5 <= self.resolution <= 0.5, "between 1e-5 and 0.5")
        check("tolerance", self.tolerance, 1e-12 <= self.tolerance <= 0.1, "between 1e-12 and 0.1")
        check("budget", self.budget, self.budget >= 1, "at least 1")
        check("device", self.device, self.device in ("cpu", "cuda", "auto"), "cpu, cuda or auto")
        guess = self.first_guess
        check("first_guess", self.first_guess, guess is None or 1e-6 <= guess <= 1e6, "between 1e-6 and 1e6, or none")
        several = self.seeds is None or (self.seeds >= 2 and self.mini_batch is not None)
        check("seeds", self.seeds, several, "at least 2, for an uncertainty, and needs mini-batches")
        if isinstance(self.study, str):
            check_study(self.study, "sweep")
            entry = CATALOGUE.get(self.study)
            if entry and entry.examples:
                check_mini_batch(self.mini_batch, self.name, entry.examples)

    @property
    def name(self) -> str:
        """Returns the study's name, or that of its file."""
        return Path(self.study).stem if isinstance(self.study, str) else self.study.name

    @property
    def folder_name(self) -> str:
        """Returns the name of the folder that the results go to if nobody says where."""
        return folder_name(self.name, self.momentum, self.mini_batch)

    @property
    def repeats(self) -> int:
        """Returns how often each delay is measured."""
        return 1 if self.mini_batch is None else self.seeds or SEEDS

    @property
    def keys(self) -> list[tuple[int, int]]:
        """Returns (delay, seed) of every measurement; the longest delays come first, so that the last one is short."""
        return [(delay, seed) for delay in sorted(set(self.delays), reverse=True) for seed in range(self.repeats)]

    @property
    def is_sure(self) -> bool:
        """Returns whether all that can be refused of it has been checked without torch."""
        return isinstance(self.study, str) and self.study in CATALOGUE and self.device != "cuda"

    def configuration(self) -> Json:
        """Returns what two runs must share to share a folder, as far as it is known without torch."""
        return {
            "study": self.name,
            "momentum": self.momentum.value,
            "shifted": self.momentum.shifted,
            "resolution": self.resolution,
            "mini_batch": self.mini_batch,
            "first_guess": self.first_guess,
            "tolerance": self.tolerance,
        }

    def settings(self, sharpness: float) -> list[Settings]:
        """Returns what each trial measures at a minimum of that sharpness."""
        return [
            Settings(
                delay=delay,
                momentum=self.momentum,
                mini_batch=self.mini_batch,
                seed=seed,
                resolution=self.resolution,
                first_guess=self._guess(sharpness, delay),
                departures=self.departures,
            )
            for delay, seed in self.keys
        ]

    def _guess(self, sharpness: float, delay: int) -> float:
        if self.first_guess is None:
            return UNGUIDED
        return self.first_guess * stability.max_stable_learning_rate(sharpness, delay, self.momentum)


def is_complete(record: MeasurementRecord | None, *, departures: bool) -> bool:
    """Returns whether a measurement has come to its end, with departures if these are wanted."""
    return bool(record and record.done and (record.settings.departures or not departures))
