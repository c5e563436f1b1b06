"""From the points of a delay × learning-rate grid to conclusions: what trains, and how well, at every delay.

Plain records; `analysis/grid_figure.py` draws them.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tautune.trainables.theory import stability

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
    study: str
    momentum: float
    shifted: bool
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

    def as_json(self) -> Json:
        names = ("study", "momentum", "shifted", "sharpness")
        return {name: getattr(self, name) for name in names} | {"delays": [asdict(row) for row in self.rows]}


def conclude(
    points: NDArray[np.void],
    outcomes: NDArray[np.void],
    *,
    study: str,
    momentum: float,
    shifted: bool,
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
    rows = []
    for i, delay in enumerate(delays.tolist()):
        own = at_delay == i
        trained = np.flatnonzero(diverged[i] == 0)
        best = int(trained[loss[i, trained].argmin()]) if len(trained) else None
        rows.append(
            DelayRow(
                delay=delay,
                best_learning_rate=None if best is None else float(rates[best]),
                best_loss=None if best is None else float(loss[i, best]),
                best_accuracy=None if best is None or np.isnan(accuracy[i, best]) else float(accuracy[i, best]),
                largest_learning_rate=float(rates[trained[-1]]) if len(trained) else None,
                diverged=int(outcomes["diverged"][own].sum()),
                points=int(own.sum()),
                theory=stability.max_stable_learning_rate(sharpness, delay, momentum, shifted=shifted),
            )
        )
    return GridSummary(
        study=study,
        momentum=momentum,
        shifted=shifted,
        sharpness=sharpness,
        delays=delays,
        learning_rates=rates,
        loss=loss,
        diverged=diverged,
        rows=tuple(rows),
    )
