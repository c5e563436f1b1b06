"""Draws a delay × learning-rate grid: a heat map of the final loss, with the best learning rate and theory's line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from tautune.analysis.figure_style import (
    FAINT,
    INK,
    MAP,
    PAPER,
    VERMILLION,
    label_ends,
    log_axis,
    new_figure,
    series,
    styled,
)

if TYPE_CHECKING:
    from tautune.analysis.grids import GridSummary

OUTLYING = 0.9
"""Share of the losses that the scale of colours spans; the largest ones have its last colour."""
DIVERGED: dict[str, Any] = {"facecolor": FAINT, "edgecolor": PAPER, "hatch": "////", "linewidth": 0}
"""What is not on the scale of colours, whose middle is grey as well."""
HALO: dict[str, Any] = {"path_effects": [withStroke(linewidth=4.5, foreground=PAPER)]}
"""What makes a line stand out from every colour of the map."""


@styled
def grid_figure(grid: GridSummary) -> Figure:
    """Returns a heat map of the final loss over τ and η, grey where a seed diverged, with theory's threshold."""
    figure = new_figure(height=5.0)
    axes = figure.subplots()
    edges = _edges(grid.learning_rates)
    theory = [row.theory for row in grid.rows]
    places = range(len(theory))
    _heat(axes, grid, edges)
    axes.plot(places, theory, "-", color=INK, linewidth=2, label="theory's threshold at the initial weights", **HALO)
    best = [(place, row.best_learning_rate) for place, row in enumerate(grid.rows) if row.best_learning_rate]
    style: dict[str, Any] = {"linestyle": "none", "marker": "D", "color": VERMILLION, "mec": PAPER, "markersize": 8}
    axes.plot(*(zip(*best, strict=True) if best else ([], [])), label="best η", **style)
    axes.add_patch(Rectangle((0, 0), 0, 0, label="diverged", **DIVERGED))
    low, high = min(edges[0], *theory), max(edges[-1], *theory)
    log_axis(axes, "y", low, high)
    axes.set(ylim=(low, high), xlabel="delay τ, steps", ylabel="learning rate η")
    axes.set_title(title_of(grid), pad=26)
    axes.set_xticks(places, [str(delay) for delay in grid.delays])
    axes.grid(visible=False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2, handletextpad=0.5)
    return figure


def title_of(grid: GridSummary) -> str:
    """Returns what was trained, and how."""
    return f"{grid.study}, {str(grid.momentum) or 'no momentum'}: training from random weights"


def _heat(axes: Axes, grid: GridSummary, edges: NDArray[np.float64]) -> None:
    loss = np.where(grid.diverged > 0, np.nan, grid.loss)
    axes.patch.set(**DIVERGED)
    if not np.isfinite(loss).any():
        return
    columns = np.arange(len(grid.delays) + 1) - 0.5
    norm = _scale(loss)
    image = axes.pcolormesh(columns, edges, loss.T, norm=norm, cmap=f"{MAP}_r", edgecolors="face", linewidth=0.4)
    beyond = "max" if float(np.nanmax(loss)) > (norm.vmax or 0) * (1 + 1e-9) else "neither"
    bar = axes.figure.colorbar(image, ax=axes, label="final loss, mean over seeds", extend=beyond)
    if isinstance(norm, LogNorm):
        log_axis(bar.ax, "y", norm.vmin or 1, norm.vmax or 1)


@styled
def loss_figure(grid: GridSummary) -> Figure:
    """Returns the final loss over the learning rate, a line for each delay; theory's threshold is dotted."""
    figure = new_figure()
    axes = figure.subplots()
    trained = np.where(grid.diverged > 0, np.nan, grid.loss)
    shown = trained[np.isfinite(trained)]
    ends, colours = [], []
    for place, row in enumerate(grid.rows):
        style, own = series(place), trained[place]
        axes.plot(grid.learning_rates, own, **style)
        axes.axvline(row.theory, color=style["color"], linestyle=":", linewidth=1)
        there = np.flatnonzero(np.isfinite(own))
        if len(there):
            ends.append((float(grid.learning_rates[there[-1]]), float(own[there[-1]]), f"τ = {row.delay}"))
            colours.append(style["color"])
    rates = [*grid.learning_rates, *(row.theory for row in grid.rows)]
    log_axis(axes, "x", min(rates), max(rates))
    if len(shown) and shown.min() > 0:
        log_axis(axes, "y", shown.min(), shown.max())
    axes.set(xlabel="learning rate η (dots: theory's threshold)", ylabel="final loss, mean over seeds")
    label_ends(axes, ends, colours)
    return figure


def _edges(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the edges of the learning rates' cells, halfway between neighbours on a logarithmic axis."""
    logs = np.log(rates)
    between = (logs[1:] + logs[:-1]) / 2
    first = 2 * logs[0] - between[0] if len(between) else logs[0] - 0.5
    last = 2 * logs[-1] - between[-1] if len(between) else logs[-1] + 0.5
    edges: NDArray[np.float64] = np.exp(np.array([first, *between, last]))
    return edges


def _scale(loss: NDArray[np.float64]) -> Normalize:
    """Returns the scale of colours: from the smallest loss to where the largest few begin."""
    low, high = float(np.nanmin(loss)), float(np.nanquantile(loss, OUTLYING))
    return LogNorm(low, max(high, low * 1.01)) if low > 0 else Normalize(low, max(high, low + 1e-12))
