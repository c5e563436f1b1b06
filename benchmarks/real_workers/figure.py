"""Draws how far each summary of the ages is from the thresholds that were measured with real workers."""

from typing import Any

from matplotlib.figure import Figure

from benchmarks.real_workers.ages import SUMMARIES
from benchmarks.real_workers.conclusions import name_of
from tautune.analysis.figure_style import FAINT, label_ends, log_axis, new_figure, series, styled

Json = dict[str, Any]


@styled
def workers_figure(rows: list[Json]) -> Figure:
    """Returns a figure of the measured thresholds over the predicted ones, and of the ages of each case."""
    figure = new_figure(12.0, 4.8)
    figure.suptitle("Thresholds of real workers", x=0.01, ha="left")
    beside, ages = figure.subplots(1, 2, width_ratios=(3, 2))
    measured = [row["measured"] for row in rows]
    low, high = 0.8 * min(measured), 1.25 * max(measured)
    beside.plot((low, high), (low, high), color=FAINT, linewidth=2.4, zorder=1)
    for place, name in enumerate(SUMMARIES):
        beside.errorbar(
            [row["predicted"][name] for row in rows],
            measured,
            yerr=[row["uncertainty"] for row in rows],
            fmt="none",
            ecolor=FAINT,
            zorder=2,
        )
        beside.scatter(
            [row["predicted"][name] for row in rows],
            measured,
            label=f"the ages' {name}" if place else "all ages with their shares",
            zorder=3,
            **series(place),
        )
    beside.set(xlabel="theory's threshold aη", ylabel="measured aη")
    log_axis(beside, "y", low, high)
    predicted = [row["predicted"][name] for row in rows for name in SUMMARIES]
    log_axis(beside, "x", min(predicted), max(predicted))
    beside.legend(loc="upper left")
    _draw_shares(ages, [row for row in rows if row["model"] == rows[0]["model"]])
    return figure


def _draw_shares(axes: Any, rows: list[Json]) -> None:
    ends, colours = [], []
    for place, row in enumerate(rows):
        style = series(place)
        known = {int(age): share for age, share in row["shares"].items()}
        drawn = [(age, 100 * share) for age, share in known.items() if share >= 0.001]
        axes.plot(*zip(*drawn, strict=True), **style)
        ends.append((*drawn[-1], name_of(row)))
        colours.append(style["color"])
    axes.set(title=f"Ages with {rows[0]['model']}", xlabel="age, updates", ylabel="share of the updates, %")
    axes.figure.draw_without_rendering()
    label_ends(axes, ends, colours)
