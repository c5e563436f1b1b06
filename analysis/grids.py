"""Draws conclusions from the points of a delay × learning-rate grid: what trains at every delay, and how well.

All classes here are plain records; `analysis/grid_figure.py` draws them.
"""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tautune.analysis.reported import HasReport
from tautune.trainables.theory import stability
from tautune.trainables.theory.momentum import Momentum

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from tautune.records.storage import Folder

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class DelayRow:
    """The results of a grid at one delay. The optional values are None if training diverged at every learning rate."""

    delay: int
    best_learning_rate: float | None
    """The learning rate with the smallest loss, averaged over the seeds, among those at which no seed diverged."""
    best_loss: float | None
    best_accuracy: float | None
    largest_learning_rate: float | None
    """The largest learning rate tried at which no seed diverged."""
    diverged: int
    points: int
    theory: float
    """Theory's threshold at the sharpness of the initial weights."""


@dataclass(frozen=True, kw_only=True)
class GridSummary(HasReport):
    """The conclusions of a grid."""

    study: str
    momentum: Momentum
    sharpness: float
    """λ at the initial weights of the study's own seed: theory's line is threshold/λ."""
    delays: NDArray[np.int64]
    """The delays [D], in ascending order."""
    learning_rates: NDArray[np.float64]
    """The learning rates [R], in ascending order."""
    loss: NDArray[np.float64]
    """Final losses [D, R], averaged over the seeds; a diverged seed counts with its limit. NaN without a point."""
    diverged: NDArray[np.float64]
    """Fraction of the seeds that diverged [D, R]; NaN without a point."""
    rows: tuple[DelayRow, ...]
    """One row for each delay, in ascending order."""
    path: "Folder | None" = None
    """The folder that holds the results, if there is one."""

    @property
    def best(self) -> DelayRow | None:
        """Returns the row whose best learning rate has the smallest loss; None if every training diverged."""
        trained = [row for row in self.rows if row.best_loss is not None]
        return min(trained, key=lambda row: row.best_loss or 0.0, default=None)

    @property
    def trials(self) -> "pd.DataFrame":
        """Returns a row for each trained point, as in points.csv. Raises ValueError if `path` is None."""
        import pandas as pd

        if self.path is None:
            raise ValueError("trials are read from a grid's folder, but this grid has none")
        with (self.path / "points.csv").open() as file:
            return pd.read_csv(file)

    def to_frame(self) -> "pd.DataFrame":
        """Returns a row for each delay: its best and its largest stable learning rate, and theory's threshold."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows])

    def plot(self) -> "Figure":
        """Returns a heat map of the final loss over delay and learning rate, with theory's line."""
        from tautune.analysis.grid_figure import grid_figure

        return grid_figure(self)

    def as_json(self) -> Json:
        """Returns the content of grid.json."""
        return {
            "study": self.study,
            "momentum": self.momentum.value,
            "shifted": self.momentum.shifted,
            "sharpness": self.sharpness,
            "delays": [asdict(row) for row in self.rows],
        }

    def at(self, path: "Folder") -> "GridSummary":
        """Returns the same conclusions with the folder that holds them."""
        return replace(self, path=path)


def conclude(
    points: NDArray[np.void],
    outcomes: NDArray[np.void],
    *,
    study: str,
    momentum: Momentum,
    sharpness: float,
) -> GridSummary:
    """Returns the conclusions from points [N] (`POINTS`) and their outcomes [N] (`OUTCOMES`)."""
    delays, at_delay = np.unique(points["delay"], return_inverse=True)
    rates, at_rate = np.unique(points["learning_rate"], return_inverse=True)
    cell = at_delay * len(rates) + at_rate

    def mean(values: NDArray[Any]) -> NDArray[np.float64]:
        size = len(delays) * len(rates)
        total, number = np.bincount(cell, values, size), np.bincount(cell, minlength=size)
        means = np.full(size, np.nan)
        np.divide(total, number, out=means, where=number > 0)
        return means.reshape(len(delays), len(rates))

    loss, accuracy, diverged = (mean(outcomes[name]) for name in ("loss", "accuracy", "diverged"))
    rows = [
        DelayRow(
            delay=delay,
            **_best(rates, loss[i], accuracy[i], diverged[i]),
            diverged=int(outcomes["diverged"][at_delay == i].sum()),
            points=int((at_delay == i).sum()),
            theory=stability.max_stable_learning_rate(sharpness, delay, momentum),
        )
        for i, delay in enumerate(delays.tolist())
    ]
    return GridSummary(
        study=study,
        momentum=momentum,
        sharpness=sharpness,
        delays=delays,
        learning_rates=rates,
        loss=loss,
        diverged=diverged,
        rows=tuple(rows),
    )


def _best(
    rates: NDArray[np.float64],
    loss: NDArray[np.float64],
    accuracy: NDArray[np.float64],
    diverged: NDArray[np.float64],
) -> dict[str, float | None]:
    """Returns the best and the largest of one delay's learning rates [R], among those at which no seed diverged."""
    trained = np.flatnonzero(diverged == 0)
    if not len(trained):
        return dict.fromkeys(("best_learning_rate", "best_loss", "best_accuracy", "largest_learning_rate"))
    best = int(trained[loss[trained].argmin()])
    return {
        "best_learning_rate": float(rates[best]),
        "best_loss": float(loss[best]),
        "best_accuracy": None if np.isnan(accuracy[best]) else float(accuracy[best]),
        "largest_learning_rate": float(rates[trained[-1]]),
    }
