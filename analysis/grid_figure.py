"""Draws a delay × learning-rate grid: a heat map of the final loss with theory's line on top."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tautune.analysis.grids import GridSummary


def grid_figure(grid: GridSummary) -> Figure:
    """Returns a heat map of the final loss over τ and η, grey where a seed diverged, with theory's threshold."""
    figure = Figure(figsize=(7.5, 5.2), layout="constrained")
    axes = figure.subplots()
    columns = np.arange(len(grid.delays) + 1) - 0.5
    loss = np.where(grid.diverged > 0, np.nan, grid.loss)
    axes.set_facecolor("0.8")
    edges = _edges(grid.learning_rates)
    if np.isfinite(loss).any():
        image = axes.pcolormesh(columns, edges, loss.T, norm=_scale(loss), cmap="viridis_r")
        figure.colorbar(image, label="final loss, mean over seeds")
    theory = [row.theory for row in grid.rows]
    axes.plot(range(len(theory)), theory, "o-", color="crimson", label=f"theory's threshold, λ = {grid.sharpness:.4g}")
    axes.plot([], [], "s", color="0.8", label="diverged")
    axes.set(
        yscale="log",
        ylim=(min(edges[0], *theory), max(edges[-1], *theory)),
        xlabel="delay τ, steps",
        ylabel="learning rate η",
        title=_title(grid),
    )
    axes.set_xticks(range(len(grid.delays)), [str(delay) for delay in grid.delays])
    axes.legend(loc="lower left")
    return figure


def _title(grid: GridSummary) -> str:
    return f"{grid.study}, {str(grid.momentum) or 'no momentum'}: training from random weights"


def _edges(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the edges of the learning rates' cells, halfway between neighbours on a logarithmic axis."""
    logs = np.log(rates)
    between = (logs[1:] + logs[:-1]) / 2
    first = 2 * logs[0] - between[0] if len(between) else logs[0] - 0.5
    last = 2 * logs[-1] - between[-1] if len(between) else logs[-1] + 0.5
    edges: NDArray[np.float64] = np.exp(np.array([first, *between, last]))
    return edges


def _scale(loss: NDArray[np.float64]) -> Normalize:
    low, high = float(np.nanmin(loss)), float(np.nanmax(loss))
    return LogNorm(low, high) if 0 < low < high else Normalize(low, high)
