"""What a sweep and a grid tell while they run. These listeners are silent; `commands/` has those that print."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tautune.trainables.threshold.record import Key, MeasurementRecord

if TYPE_CHECKING:
    from tautune.analysis.grids import GridSummary
    from tautune.analysis.thresholds import Thresholds


Records = Mapping[Key, MeasurementRecord]


class SweepListener:
    """Hears of a sweep's progress. It is a context, so that a display can begin and end with the run."""

    def __enter__(self) -> "SweepListener":
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the display, if there is one."""

    def say(self, text: str) -> None:
        """Hears one line about what happens next."""

    def measured(self, thresholds: "Thresholds", delays: list[int], records: Records) -> None:
        """Hears, after each learning rate that was tried, what is known of every delay by now."""

    def concluded(self, thresholds: "Thresholds", records: Records) -> None:
        """Hears the conclusions, once they are written."""


class GridListener:
    """Hears of a grid's progress. It is a context, so that a display can begin and end with the run."""

    def __enter__(self) -> "GridListener":
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the display, if there is one."""

    def say(self, text: str) -> None:
        """Hears one line about what happens next."""

    def begun(self, points: int) -> None:
        """Hears how many points are to be trained."""

    def trained(self, done: int, diverged: int, at_once: int) -> None:
        """Hears how many points have ended, how many of them diverged, and how many train at once."""

    def concluded(self, grid: "GridSummary") -> None:
        """Hears the conclusions, once they are written."""
