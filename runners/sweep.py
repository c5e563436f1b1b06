"""A sweep: what the user asks for, and whether a measurement of it is complete. Nothing here needs Ray."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tautune.runners.devices import DEVICES
from tautune.runners.named_study import check_named_study, is_built_in, known_name, study_name
from tautune.runners.shared import check, check_delays, check_types, folder_name
from tautune.trainables.theory.momentum import NO_MOMENTUM, Momentum
from tautune.trainables.threshold.record import MeasurementRecord, Settings
from tautune.trainables.threshold.update import Update, expected, steps_vary

if TYPE_CHECKING:
    from tautune.search_spaces.stability_study import StabilityStudy

Json = dict[str, Any]
IN_WORKERS = ("tautune.trainables.threshold.trial",)
"""Modules that the trials' processes import before there is a trial."""
DELAYS = (0, 1, 2, 4, 8, 16, 32)
SEEDS = 3
"""Default number of measurements at each delay, each with its own order of the mini-batches."""
UNGUIDED = 0.01
"""Learning rate at which a search begins that must not use theory."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The settings of a sweep.

    Raises:
        ValueError: a value is out of its bounds; the message begins with the parameter's name.
    """

    study: StabilityStudy | str
    """A study, the name of a built-in one, or the path of a file that sets STUDY."""
    delays: tuple[int, ...] = DELAYS
    """τ, in optimizer steps."""
    momentum: Momentum = NO_MOMENTUM
    update: Update | None = None
    """How gradients become steps, where it is not the paper's SGD with `momentum`. One that has delays of its own makes
    one measurement, under the longest of them."""
    resolution: float = 0.005
    """Relative width of a threshold's bracket."""
    mini_batch: int | None = None
    """Examples per step; None means the full batch."""
    seeds: int | None = None
    """Number of measurements at each delay, each with its own order of the mini-batches and its own delays; only where
    one of them varies."""
    device: str = "auto"
    """cpu, cuda, or auto, which means cuda if there is a GPU."""
    first_guess: float | None = 1.0
    """Learning rate at which each search begins, as a multiple of theory's threshold; None begins at `UNGUIDED`."""
    departures: bool = True
    """Whether to measure also how soon training leaves the minimum above the threshold."""
    tolerance: float = 1e-6
    """Largest gradient norm, relative to its value where training began, that counts as a minimum."""
    budget: int = 20_000
    """Largest number of gradient evaluations for reaching the minimum."""

    def __post_init__(self) -> None:
        check_types(
            self, integers=("mini_batch", "seeds", "budget"), numbers=("resolution", "tolerance", "first_guess")
        )
        check_delays(self.delays)
        check("resolution", self.resolution, 1e-5 <= self.resolution <= 0.5, "between 1e-5 and 0.5")
        check("tolerance", self.tolerance, 1e-12 <= self.tolerance <= 0.1, "between 1e-12 and 0.1")
        check("budget", self.budget, self.budget >= 1, "at least 1")
        check("device", self.device, self.device in DEVICES, "cpu, cuda or auto")
        guess = self.first_guess
        check("first_guess", self.first_guess, guess is None or 1e-6 <= guess <= 1e6, "between 1e-6 and 1e6, or none")
        check("seeds", self.seeds, self.seeds is None or self.seeds >= 2, "at least 2, for an uncertainty")
        if self.seeds is not None and not self.varies:
            raise ValueError("seeds must be combined with mini-batches: a full batch has no order to vary")
        if self.update and self.momentum.value:
            raise ValueError("momentum must be that of the update, where there is one")
        if self.update and self.update.is_preconditioned and self.mini_batch is not None:
            raise ValueError(
                f"mini_batch must be left out for {self.update.optimizer}: its preconditioner is held, and it is "
                "measured with the full batch"
            )
        if self.update and self.update.longest is not None:
            object.__setattr__(self, "delays", (self.update.longest,))
        check_named_study(self.study, "sweep", self.mini_batch)

    @property
    def varies(self) -> bool:
        """Returns whether steps differ by chance: by their mini-batch or their delay."""
        return steps_vary(self.mini_batch, self.update)

    @property
    def name(self) -> str:
        """Returns the study's name, or the name of its file."""
        return study_name(self.study)

    @property
    def folder_name(self) -> str:
        """Returns the default name of the results folder."""
        name = f"{self.name}-{self.update.slug}" if self.update else self.name
        return folder_name(name, self.momentum, self.mini_batch)

    @property
    def repeats(self) -> int:
        """Returns the number of measurements at each delay."""
        return self.seeds or SEEDS if self.varies else 1

    @property
    def keys(self) -> list[tuple[int, int]]:
        """Returns (delay, seed) of every measurement, the longest delay first, so that the last trial is short."""
        return [(delay, seed) for delay in sorted(set(self.delays), reverse=True) for seed in range(self.repeats)]

    @property
    def is_sure(self) -> bool:
        """Returns whether every check has passed without torch, so that nothing can still be refused."""
        return is_built_in(self.study) and self.device != "cuda"

    def configuration(self) -> Json:
        """Returns what two runs in one folder must have in common, as far as it is known without torch."""
        return {
            **known_name(self.study),
            "momentum": self.momentum.value,
            "shifted": self.momentum.shifted,
            "resolution": self.resolution,
            "mini_batch": self.mini_batch,
            "first_guess": self.first_guess,
            "tolerance": self.tolerance,
            **({"update": self.update.as_json()} if self.update else {}),
        }

    def settings(self, sharpness: float, update: Update | None = None) -> list[Settings]:
        """Returns the settings of each trial at a minimum of this sharpness.

        Args:
            update: the sweep's, with the shares that its stages have of this minimum's sharpest eigenvector.
        """
        return [
            Settings(
                delay=delay,
                momentum=self.momentum,
                update=update,
                mini_batch=self.mini_batch,
                seed=seed,
                resolution=self.resolution,
                first_guess=self._guess(expected(sharpness, delay, self.momentum, update)),
                departures=self.departures,
            )
            for delay, seed in self.keys
        ]

    def _guess(self, learning_rate: float) -> float:
        return UNGUIDED if self.first_guess is None else self.first_guess * learning_rate


def fixed_delays(delays: Iterable[int] | None, *, instead: bool) -> Iterable[int]:
    """Returns the delays that were given, or else the usual ones.

    Args:
        instead: whether there are others in their place; then it is a ValueError that these are given too.
    """
    if instead and delays is not None:
        raise ValueError("delays must be left out where delays_from or stages take their place")
    return DELAYS if delays is None else delays


def is_complete(record: MeasurementRecord | None, *, departures: bool) -> bool:
    """Returns whether a measurement is complete, including the departures if they are wanted."""
    return bool(record and record.done and not has_failed(record) and (record.settings.departures or not departures))


def has_failed(record: MeasurementRecord) -> bool:
    """Returns whether a measurement ended without a threshold; the next run tries it again from the beginning."""
    return record.done and record.threshold is None
