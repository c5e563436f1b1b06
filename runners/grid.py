"""A delay × learning-rate grid: what the user asks for. Nothing here needs Ray or torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tautune.runners.devices import DEVICES
from tautune.runners.named_study import check_named_study, is_built_in, known_name, study_name
from tautune.runners.shared import check, check_delays, check_types, folder_name
from tautune.runners.sweep import DELAYS
from tautune.trainables.theory import stability
from tautune.trainables.theory.momentum import NO_MOMENTUM, Momentum
from tautune.trainables.theory.stability import LARGEST_RATE

if TYPE_CHECKING:
    from tautune.search_spaces.stability_study import StabilityStudy
    from tautune.trainables.grid.point import Point

Json = dict[str, Any]
IN_WORKERS = ("tautune.trainables.grid.trial",)
"""Modules that the trials' processes import before there is a trial."""
MARGIN = 4.0
"""Factor for the range of learning rates that are given by their number: theory's lowest threshold / MARGIN to its
highest threshold · MARGIN."""
MOST = 10**9
"""Largest number of steps, seeds, or points that train together."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The settings of a grid.

    Raises:
        ValueError: a value is out of its bounds; the message begins with the parameter's name.
    """

    study: StabilityStudy | str
    """A study, the name of a built-in one, or the path of a file that sets STUDY."""
    delays: tuple[int, ...] = DELAYS
    """τ, in optimizer steps."""
    learning_rates: tuple[float, ...] | int = 16
    """The learning rates, or how many of them to spread on a logarithmic scale around theory's thresholds."""
    steps: int = 2000
    """Number of optimizer steps of each training."""
    mini_batch: int | None = None
    """Examples per step; None means the full batch."""
    momentum: Momentum = NO_MOMENTUM
    seeds: int = 1
    """Number of repetitions, each with its own initial weights and order of the mini-batches."""
    device: str = "auto"
    """cpu, cuda, or auto, which means cuda if there is a GPU."""
    points_per_trial: int | None = None
    """Number of points that train together in a trial; with None, the fastest number is measured."""
    bfloat16_queue: bool = False
    """Whether gradients wait in bfloat16."""

    def __post_init__(self) -> None:
        check_types(self, integers=("steps", "seeds", "mini_batch", "points_per_trial"))
        check_delays(self.delays)
        check_rates(self.learning_rates)
        for name in ("steps", "seeds"):
            check(name, getattr(self, name), 1 <= getattr(self, name) <= MOST, "at least 1")
        together = self.points_per_trial
        check("points_per_trial", together, together is None or 1 <= together <= MOST, "a whole number above 0")
        check("device", self.device, self.device in DEVICES, "cpu, cuda or auto")
        check("mini_batch", self.mini_batch, self.mini_batch is None or self.mini_batch >= 1, "at least 1")
        check_named_study(self.study, "grid", self.mini_batch)

    @property
    def name(self) -> str:
        """Returns the study's name, or the name of its file."""
        return study_name(self.study)

    @property
    def folder_name(self) -> str:
        """Returns the default name of the results folder."""
        own = folder_name(self.name, self.momentum, self.mini_batch)
        return f"grid-{own}{'-bfloat16' if self.bfloat16_queue else ''}"

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
            "steps": self.steps,
            "mini_batch": self.mini_batch,
            "bfloat16_queue": self.bfloat16_queue,
        }

    def points(self, sharpness: float) -> list[Point]:
        """Returns the points; those most likely to diverge come first, together, so that whole stacks end early.

        Args:
            sharpness: λ at the initial weights, for theory's thresholds.
        """
        from tautune.trainables.grid.point import Point

        thresholds = {d: stability.max_stable_learning_rate(sharpness, d, self.momentum) for d in self.delays}
        points = [
            Point(delay, rate, self.momentum.value, self.momentum.shifted, seed)
            for seed in range(self.seeds)
            for delay in sorted(set(self.delays))
            for rate in self._rates(thresholds.values())
        ]
        return sorted(points, key=lambda p: (p.seed, -p.learning_rate / thresholds[p.delay]))

    def _rates(self, thresholds: Iterable[float]) -> tuple[float, ...]:
        if not isinstance(self.learning_rates, int):
            return self.learning_rates
        low, high = min(thresholds) / MARGIN, max(thresholds) * MARGIN
        return tuple(float(f"{rate:.6g}") for rate in np.geomspace(low, high, self.learning_rates))


def check_rates(rates: tuple[float, ...] | int) -> None:
    """Raises ValueError unless `rates` is a number of learning rates from 1 to a million, or learning rates above 0."""
    if isinstance(rates, int):
        check("learning_rates", rates, 1 <= rates <= 10**6, "a count from 1 to a million, or a list of them")
    elif not rates or not all(0 < rate <= LARGEST_RATE for rate in rates):
        listed = ", ".join(f"{rate:g}" for rate in rates)
        raise ValueError(f"learning_rates must be above 0 and at most {LARGEST_RATE:g}, not {listed}")
