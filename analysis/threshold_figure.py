"""Draws the conclusions of a sweep: each function fills a panel, and `thresholds_figure` has the main ones together."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tautune.analysis.figure_style import BLUE, FAINT, QUIET, label_ends, log_axis, new_figure, series, split, styled
from tautune.analysis.method_names import in_words
from tautune.analysis.point_labels import label_points
from tautune.analysis.verdicts import within
from tautune.trainables.threshold.update import predicted

if TYPE_CHECKING:
    from tautune.analysis.thresholds import Escape, Point, Thresholds

OTHER_THEORIES = {"typical": "theory of a single training", "mean_square": "theory of the mean square"}
"""What a point has besides theory of the mean, where steps differ by chance."""
LINES = {"typical": (":", "dots", "x", "cross"), "mean_square": ("--", "dashes", "_", "dash")}
"""How each is drawn, and what that is called: as a line, and where there is but one point."""
BAR: dict[str, Any] = {"fmt": "o", "color": BLUE, "capsize": 3, "zorder": 3}


@styled
def thresholds_figure(thresholds: Thresholds) -> Figure:
    """Returns a figure of 1/η at the threshold over 2τ+1, its error, and the epochs to leave the minimum over η."""
    left = escapes_by_point(thresholds)  # of the other delays there is no threshold yet
    columns = 2 if left else 1
    figure = new_figure(6.2 * columns, 5.2)
    grid = figure.add_gridspec(2, columns, height_ratios=(3, 1))
    line, rest = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    figure.suptitle(title_of(thresholds), x=0.01, ha="left")
    draw_inverse(line, thresholds)
    draw_error(rest, thresholds)
    said = f"Best estimates of η: {within(thresholds)} from theory's\nbar: {bar_of(thresholds)}"
    rest.set_title(said, fontsize="medium")
    rest.sharex(line)
    line.set_xlabel("")
    if left:
        right = figure.add_subplot(grid[:, 1])
        right.set_title("Epochs until the distance to the minimum has grown a hundredfold")
        draw_escapes(right, thresholds)
    return figure


def title_of(thresholds: Thresholds) -> str:
    """Returns what was swept, and how: digits: no momentum, full batch."""
    batch = "full batch" if thresholds.mini_batch is None else f"mini-batches of {thresholds.mini_batch}"
    how, update = str(thresholds.momentum) or "no momentum", thresholds.update
    if update:
        how = str(update).replace(update.optimizer, in_words(update.optimizer), 1)
    return f"{thresholds.study}: {how}, {batch}"


def theory(thresholds: Thresholds) -> tuple[list[int], list[float]]:
    """Returns delays up to the longest one, and theory's largest stable learning rate at each."""
    top = max((point.delay for point in thresholds.points), default=1)
    parts = 40 if thresholds.update else 200  # each of them a search for the gain margin, or a closed form
    delays = sorted({round(top * i / parts) for i in range(parts + 1)})
    λ, momentum, update = thresholds.sharpness, thresholds.momentum, thresholds.update
    return delays, [predicted(λ, delay, momentum, update) for delay in delays]


def draw_inverse(axes: Axes, thresholds: Thresholds) -> None:
    """Draws 1/η at the threshold over 2τ+1, on theory's line."""
    delays, rates = theory(thresholds)
    if thresholds.delay_is_fixed:
        axes.plot([2 * τ + 1 for τ in delays], [1 / η for η in rates], color=FAINT, linewidth=2.4)
    else:  # one point in all, through which there is no curve
        axes.axhline(1 / rates[-1], color=FAINT, linewidth=2.4)
    said = [f"line: theory of the mean, λ = {thresholds.sharpness:.4g}", *_draw_other_theories(axes, thresholds)]
    axes.errorbar(
        [2 * p.delay + 1 for p in thresholds.points],
        [1 / p.measured for p in thresholds.points],
        yerr=[p.uncertainty / p.measured**2 for p in thresholds.points],
        **BAR,
    )
    axes.set(ylabel="1/η at the stability threshold", xlabel="2τ + 1 (τ: delay, steps)", ylim=(0, None))
    _places(axes, thresholds)
    axes.text(0.02, 0.97, "\n".join([*said, "points: measured"]), transform=axes.transAxes, va="top", color=QUIET)


def _draw_other_theories(axes: Axes, thresholds: Thresholds) -> list[str]:
    """Draws what theory has besides where steps differ by chance, and returns which mark is which."""
    said = []
    for name, heading in OTHER_THEORIES.items():
        line, lines, mark, marks = LINES[name]
        bounds = [(2 * p.delay + 1, 1 / η) for p in thresholds.points if (η := getattr(p, name))]
        several = len(bounds) > 1
        if bounds:
            axes.plot(*split(bounds), line if several else mark, color=QUIET, linewidth=1.2, markersize=11)
            said.append(f"{lines if several else marks}: {heading}")
    return said


def draw_error(axes: Axes, thresholds: Thresholds) -> None:
    """Draws the measured learning rate relative to theory's, in percent."""
    axes.axhline(0, color=FAINT, linewidth=2.4)
    axes.errorbar(
        [2 * p.delay + 1 for p in thresholds.points],
        [100 * p.relative_error for p in thresholds.points],
        yerr=[100 * p.uncertainty / p.predicted for p in thresholds.points],
        **BAR,
    )
    axes.set(xlabel="2τ + 1 (τ: delay, steps)", ylabel="error, %")
    _places(axes, thresholds)


def _places(axes: Axes, thresholds: Thresholds) -> None:
    """Begins the axis of 2τ+1 at 0; where delays vary, it has one place, which is called by them."""
    axes.set_xlim(0, None)
    if not thresholds.delay_is_fixed:
        places = {2 * point.delay + 1: thresholds.called(point.delay) for point in thresholds.points}
        axes.set_xticks(list(places), list(places.values()))
        axes.set(xlim=(min(places, default=1) - 1, max(places, default=1) + 1), xlabel="delay τ, steps")


def bar_of(thresholds: Thresholds) -> str:
    """Returns what the bars of the error are."""
    several = any(point.seeds > 1 for point in thresholds.points)
    return "half the bracket and the standard error over seeds" if several else "half the bracket's width"


def escapes_by_point(thresholds: Thresholds) -> list[tuple[Point, list[Escape]]]:
    """Returns the departures at each delay whose threshold was found, if there are any."""
    every = [(point, [e for e in thresholds.escapes if e.delay == point.delay]) for point in thresholds.points]
    return [(point, own) for point, own in every if own]


def draw_escapes(axes: Axes, thresholds: Thresholds, *, collapsed: bool = False) -> None:
    """Draws the epochs until training left the minimum over η, with a curve through the means over seeds.

    Args:
        axes: the panel.
        thresholds: of a sweep with departures.
        collapsed: draws them over η divided by the measured threshold, and divided by the time 2τ+1 of half an
            oscillation, which brings the curves of all delays together.
    """
    ends, colours, drawn = [], [], []
    places = {point.delay: place for place, point in enumerate(thresholds.points)}
    for point, own in escapes_by_point(thresholds):
        across, up = (point.measured, 2 * point.delay + 1) if collapsed else (1.0, 1)
        style = series(places[point.delay])
        drawn += _draw_departures(axes, [(e.learning_rate / across, e.epochs / up, e.left) for e in own], style)
        curve = [(rate / across, epochs / up) for rate, epochs in _mean_curve(own)]
        if curve:
            axes.plot(*split(curve), color=style["color"])
        if curve and len(places) > 1:
            end = max(curve) if collapsed else min(curve)
            ends.append((*end, f"τ = {point.delay}"))
            colours.append(style["color"])
        if not collapsed:
            axes.axvline(point.measured, color=style["color"], linestyle=":", linewidth=1)
    xs, ys = split(drawn)
    log_axis(axes, "x", min(xs), max(xs))
    log_axis(axes, "y", min(ys), max(ys))
    if not collapsed:
        axes.set_ylim(top=2 * max(ys))  # room for the name of the highest curve
    axes.set_xlabel("η / measured threshold" if collapsed else "learning rate η (dots: measured threshold)")
    axes.set_ylabel("epochs to leave, divided by 2τ + 1" if collapsed else "epochs until training leaves the minimum")
    if any(not escape.left for escape in thresholds.escapes):
        axes.text(0.98, 0.97, "△ had not left", transform=axes.transAxes, va="top", ha="right", color=QUIET)
    if collapsed:
        axes.axvline(1, color=FAINT, linewidth=2.4, zorder=1)
        label_ends(axes, ends, colours)
    else:
        label_points(axes, ends)


def _draw_departures(
    axes: Axes, departures: list[tuple[float, float, bool]], style: dict[str, Any]
) -> list[tuple[float, float]]:
    """Draws departures (x, y, whether training left), open triangles for those that did not; returns their places."""
    for left, filled in ((True, style["color"]), (False, "none")):
        x, y = split((x, y) for x, y, own in departures if own is left)
        marker, size = (style["marker"], 18) if left else ("^", 30)
        axes.scatter(x, y, s=size, marker=marker, facecolor=filled, edgecolor=style["color"], zorder=3)
    return [(x, y) for x, y, _ in departures]


def _mean_curve(escapes: list[Escape]) -> list[tuple[float, float]]:
    """Returns learning rates and epochs averaged over the seeds, where every seed left.

    The seeds' learning rates are matched by their rank, since each seed has its own threshold.
    """
    seeds = [sorted(own, key=lambda e: -e.learning_rate) for _, own in groupby(escapes, key=lambda e: e.seed)]
    return [
        (sum(run.learning_rate for run in runs) / len(runs), sum(run.epochs for run in runs) / len(runs))
        for runs in zip(*seeds, strict=False)
        if all(run.left for run in runs)
    ]
