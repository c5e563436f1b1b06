"""Draws the conclusions of a sweep."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tautune.trainables.threshold.update import predicted

if TYPE_CHECKING:
    from tautune.analysis.thresholds import Escape, Thresholds


def thresholds_figure(thresholds: Thresholds) -> Figure:
    """Returns a figure of 1/η at the threshold over 2τ+1, its error, and the epochs to leave the minimum over η."""
    measured = {point.delay for point in thresholds.points}
    left = any(escape.delay in measured for escape in thresholds.escapes)  # of the others there is no threshold yet
    columns = 2 if left else 1
    figure = Figure(figsize=(6.25 * columns, 5.2), layout="constrained")  # pyplot would open windows
    grid = figure.add_gridspec(2, columns, height_ratios=(3, 1))
    line, rest = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    figure.suptitle(_title(thresholds))
    _inverse_learning_rate(line, thresholds)
    _relative_error(rest, thresholds)
    rest.sharex(line)
    if left:
        _epochs_to_leave(figure.add_subplot(grid[:, 1]), thresholds)
    return figure


def _title(thresholds: Thresholds) -> str:
    batch = "full batch" if thresholds.mini_batch is None else f"mini-batches of {thresholds.mini_batch}"
    how = str(thresholds.update) if thresholds.update else str(thresholds.momentum) or "no momentum"
    return f"{thresholds.study}: {how}, {batch}"


def _inverse_learning_rate(axes: Axes, thresholds: Thresholds) -> None:
    top = max((p.delay for p in thresholds.points), default=1)
    parts = 40 if thresholds.update else 200  # each of them a search for the gain margin, or a closed form
    delays = sorted({round(top * i / parts) for i in range(parts + 1)})
    λ, momentum, update = thresholds.sharpness, thresholds.momentum, thresholds.update
    inverse = [1 / predicted(λ, delay, momentum, update) for delay in delays]
    axes.plot(
        [2 * d + 1 for d in delays], inverse, color="0.6", label=f"theory of the mean, λ = {thresholds.sharpness:.4g}"
    )
    if bounds := [(2 * p.delay + 1, 1 / p.mean_square) for p in thresholds.points if p.mean_square]:
        axes.plot(*zip(*bounds, strict=True), "--", color="0.6", label="theory of the mean square")
    axes.errorbar(
        [2 * p.delay + 1 for p in thresholds.points],
        [1 / p.measured for p in thresholds.points],
        yerr=[p.uncertainty / p.measured**2 for p in thresholds.points],
        fmt="o",
        markersize=4,
        capsize=3,
        label="measured, typical growth" if bounds else "measured",
    )
    axes.set(ylabel="1/η at the stability threshold")
    axes.legend()


def _relative_error(axes: Axes, thresholds: Thresholds) -> None:
    axes.axhline(0, color="0.6")
    axes.errorbar(
        [2 * p.delay + 1 for p in thresholds.points],
        [100 * p.relative_error for p in thresholds.points],
        yerr=[100 * p.uncertainty / p.predicted for p in thresholds.points],
        fmt="o",
        markersize=4,
        capsize=3,
    )
    worst = max((abs(p.relative_error) for p in thresholds.points), default=0.0)
    axes.set(xlabel="2τ + 1    (τ: delay, steps)", ylabel="error, %")
    axes.set_title(f"measured η relative to theory: within {100 * worst:.2g} %; bars: uncertainty", fontsize="small")


def _epochs_to_leave(axes: Axes, thresholds: Thresholds) -> None:
    """Draws the epochs over η, with a curve through the means over seeds; an open triangle marks one that stayed."""
    colours = colormaps["viridis"]
    for i, point in enumerate(thresholds.points):
        colour = colours(0.9 * i / max(1, len(thresholds.points) - 1))
        axes.axvline(point.measured, color=colour, linestyle=":", linewidth=1)
        own = [e for e in thresholds.escapes if e.delay == point.delay]
        gone, stayed = [e for e in own if e.left], [e for e in own if not e.left]
        axes.plot([e.learning_rate for e in gone], [e.epochs for e in gone], "o", color=colour, markersize=3)
        axes.plot([e.learning_rate for e in stayed], [e.epochs for e in stayed], "^", color=colour, mfc="none")
        axes.plot(*_mean_curve(own), color=colour)
        axes.plot([], [], "o-", color=colour, markersize=3, label=f"τ = {point.delay}")
    axes.plot([], [], ":", color="0.4", label="measured threshold")
    axes.plot([], [], "^", color="0.4", mfc="none", label="had not left")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="learning rate η",
        ylabel="epochs until training leaves the minimum",
        title="until the distance to the minimum has grown a hundredfold",
    )
    axes.legend(fontsize="small", ncols=2)


def _mean_curve(escapes: list[Escape]) -> tuple[list[float], list[float]]:
    """Returns learning rates and epochs averaged over the seeds, where every seed left.

    The seeds' learning rates are matched by their rank, since each seed has its own threshold.
    """
    seeds = [sorted(own, key=lambda e: -e.learning_rate) for _, own in groupby(escapes, key=lambda e: e.seed)]
    rates, epochs = [], []
    for runs in zip(*seeds, strict=False):
        if all(run.left for run in runs):
            rates.append(sum(run.learning_rate for run in runs) / len(runs))
            epochs.append(sum(run.epochs for run in runs) / len(runs))
    return rates, epochs
