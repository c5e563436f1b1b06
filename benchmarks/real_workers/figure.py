"""Draws how far each summary of the ages is from the thresholds that were measured with real workers."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.real_workers.conclusions import name_of
from tautune.analysis.figure_style import FAINT, log_axis, new_figure, series, styled

Json = dict[str, Any]
DRAWN = {
    "distribution": "all ages with their shares, in the mean",
    "mean square": "the same in the mean square",
    "mean age": "their mean",
    "90 % quantile": "their 90 % quantile",
    "maximum": "their maximum",
    "in this order": "the ages in their order",
}
"""What is drawn of the predictions, and how it is called."""


@styled
def workers_figure(rows: list[Json]) -> Figure:
    """Returns a figure of the measured thresholds over the predicted ones, and of the ages of each case."""
    figure = new_figure(12.0, 4.8)
    figure.suptitle("Thresholds of real workers", x=0.01, ha="left")
    beside, ages = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_beside(beside, rows)
    _draw_shares(ages, [row for row in rows if row["model"] == rows[0]["model"]])
    return figure


def _draw_beside(axes: Axes, rows: list[Json]) -> None:
    every = [row["measured"] for row in rows] + [row["predicted"][name] for row in rows for name in DRAWN]
    low, high = 0.8 * min(every), 1.25 * max(every)
    axes.plot((low, high), (low, high), color=FAINT, linewidth=2.4, zorder=1)
    for place, (name, label) in enumerate(DRAWN.items()):
        axes.errorbar(
            [row["predicted"][name] for row in rows],
            [row["measured"] for row in rows],
            yerr=[row["uncertainty"] for row in rows],
            linestyle="none",
            label=label,
            zorder=3,
            **series(place),
        )
    axes.set(xlabel="theory's threshold aη", ylabel="measured aη")
    log_axis(axes, "x", low, high)
    log_axis(axes, "y", low, high)
    axes.legend(loc="lower right")


def _draw_shares(axes: Axes, rows: list[Json]) -> None:
    for place, row in enumerate(rows):
        known = {int(age): share for age, share in row["shares"].items()}
        drawn = [(age, 100 * share) for age, share in known.items() if share >= 0.001]
        axes.plot(*zip(*drawn, strict=True), label=name_of(row), **series(place))
    axes.set(title=f"Ages with {rows[0]['model']}", xlabel="age, updates", ylabel="share of the updates, %")
    axes.legend(title="workers")  # all curves end near 0, where names beside them would cross
