"""What runs report while they go on. These listeners are silent; those in `commands/` print."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

from tautune.trainables.threshold.record import Key, MeasurementRecord

if TYPE_CHECKING:
    from tautune.analysis.edges import Edges
    from tautune.analysis.grids import GridSummary
    from tautune.analysis.thresholds import Thresholds
    from tautune.trainables.edge.following import Sample

Records = Mapping[Key, MeasurementRecord]
STARTING = "starting Ray"


class Listener:
    """Receives a run's progress. It is a context manager, so that a display can begin and end with the run.

    Args:
        started: `time.monotonic()` from which the run's duration is counted; now, if not given.
    """

    def __init__(self, *, started: float | None = None) -> None:
        self.started = time.monotonic() if started is None else started

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the display, if there is one."""

    def say(self, text: str) -> None:
        """Receives a line that is worth keeping."""

    def doing(self, text: str) -> None:
        """Receives what is done from now on, until the next; it may take long, and is not worth keeping."""


class SweepListener(Listener):
    """Receives a sweep's progress."""

    def begun(self, keys: Sequence[Key]) -> None:
        """Receives (delay, seed) of all that was asked for, when what is missing is about to be measured."""

    def measured(self, thresholds: "Thresholds", delays: list[int], records: Records) -> None:
        """Receives what is known about every delay, after each learning rate that was tried."""

    def concluded(self, thresholds: "Thresholds", records: Records) -> None:
        """Receives the conclusions once they are written."""


class GridListener(Listener):
    """Receives a grid's progress."""

    def begun(self, points: int) -> None:
        """Receives the number of points to train."""

    def trained(self, done: int, diverged: int, at_once: int) -> None:
        """Receives how many points are done, how many of them diverged, and how many train at once."""

    def concluded(self, grid: "GridSummary") -> None:
        """Receives the conclusions once they are written."""


class EdgeListener(Listener):
    """Receives the progress of trainings that are followed to their edge."""

    def begun(self, trainings: int, steps: int) -> None:
        """Receives the number of trainings, and the steps of each."""

    def seen(self, samples: "Sequence[Sample]") -> None:
        """Receives all that was seen, after each look."""

    def concluded(self, edges: "Edges") -> None:
        """Receives the conclusions once they are written."""
