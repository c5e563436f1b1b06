"""From the points of a delay × learning-rate grid to conclusions: what trains, and how well, at every delay.

Everything here is a plain record; `analysis/grid_figure.py` draws it.
"""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tautune.trainables.theory import stability
from tautune.trainables.theory.momentum import Momentum

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from tautune.records.storage import Folder

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class DelayRow:
    """One delay of a grid. Learning rates are None where every one diverged."""

    delay: int
    best_learning_rate: float | None
    """Of the smallest mean loss over the seeds, among those at which no seed diverged."""
    best_loss: float | None
    best_accuracy: float | None
    largest_learning_rate: float | None
    """The largest one tried at which no seed diverged."""
    diverged: int
    points: int
    theory: float
    """Theory's threshold, at the sharpness of the initial weights."""


@dataclass(frozen=True, kw_only=True)
class GridSummary:
    """The conclusions of a grid."""

    study: str
    momentum: Momentum
    sharpness: float
    """λ at the initial weights of the study's first seed: theory's line is threshold/λ."""
    delays: NDArray[np.int64]
    """[D]"""
    learning_rates: NDArray[np.float64]
    """[R]"""
    loss: NDArray[np.float64]
    """[D, R]: mean over the seeds, a diverged one with its limit; NaN where there is no point."""
    diverged: NDArray[np.float64]
    """[D, R]: share of the seeds that diverged; NaN where there is no point."""
    rows: tuple[DelayRow, ...]
    """One for each delay, in ascending order."""
    path: "Folder | None" = None
    """The folder that holds the results, if there is one."""

    @property
    def best(self) -> DelayRow | None:
        """Returns the delay whose best learning rate has the smallest loss; None where every training diverged."""
        trained = [row for row in self.rows if row.best_loss is not None]
        return min(trained, key=lambda row: row.best_loss or 0.0, default=None)

    @property
    def trials(self) -> "pd.DataFrame":
        """Returns a row for each point that was trained, as in points.csv. Raises ValueError without a folder."""
        import pandas as pd

        if self.path is None:
            raise ValueError("trials are read from a grid's folder, and this grid has none")
        with (self.path / "points.csv").open() as file:
            return pd.read_csv(file)

    def to_frame(self) -> "pd.DataFrame":
        """Returns a row for each delay: its best and its largest stable learning rate beside theory's threshold."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows])

    def plot(self) -> "Figure":
        """Returns a heat map of the final loss over delay and learning rate, with theory's line."""
        from tautune.analysis.grid_figure import grid_figure

        return grid_figure(self)

    def as_json(self) -> Json:
        """Returns what grid.json holds."""
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
    """Gathers the points [N] (`POINTS`) and what came of them [N] (`OUTCOMES`)."""
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
    """Returns the best and the largest of one delay's learning rates [R] at which no seed diverged."""
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
