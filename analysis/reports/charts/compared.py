"""Several runs in one figure: a line each, with the run's name at its end, or marks beside one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tautune.analysis.delay_axis import delay_axis
from tautune.analysis.edge_figure import draw_edge, draw_settled
from tautune.analysis.edges import Edges
from tautune.analysis.figure_style import INK, label_ends, log_axis, new_figure, series, short, split, styled
from tautune.analysis.grids import GridSummary
from tautune.analysis.pages.page import Chart, Table
from tautune.analysis.regret import Regret
from tautune.analysis.reports.charts.progress import improvements
from tautune.analysis.reports.parts.tuned import Tuned
from tautune.analysis.thresholds import Thresholds
from tautune.trainables.goal import in_words

Line = Sequence[tuple[float, float]]
WIDEST = 0.4
"""Share of the room between two delays, or two methods, in which the marks of all runs lie beside one another."""


@styled
def best_so_far_of(tunings: Mapping[str, Tuned]) -> Chart | None:
    """Returns the best result so far of each tuning against the epochs spent; None if no folder tells of it."""
    first = next(iter(tunings.values()))
    goal, spent = first.goal, first.spent
    lines: dict[str, Line] = {}
    for label, tuned in tunings.items():
        steps = [(spent, value) for spent, value, _ in improvements(tuned)]
        if steps:
            lines[label] = [*steps, (len(tuned.history.reports), steps[-1][1])]
    if not lines:
        return None
    figure = new_figure()
    axes = figure.subplots()
    ends, colours = [], []
    for place, (label, line) in enumerate(lines.items()):
        style = series(place)
        axes.plot(*split(line), drawstyle="steps-post", color=style["color"])
        axes.plot(*split(line[:-1]), linestyle="none", **style)
        ends.append((*line[-1], label))
        colours.append(style["color"])
    values = [value for line in lines.values() for _, value in line]
    if goal.mode == "min" and min(values) > 0 and max(values) > 10 * min(values):
        log_axis(axes, "y", min(values), max(values))
    axes.set(xlabel=f"{spent}, of all trials together", ylabel=f"best {goal.words} so far", xlim=(0, None))
    label_ends(axes, ends, colours)
    return Chart(
        name="best-so-far",
        title=f"Best {goal.words} so far",
        says="A line is a run; at a point it found something better than before.",
        figure=figure,
        table=Table(
            columns=("run", spent, goal.words),
            rows=[(label, *point) for label, line in lines.items() for point in line],
        ),
    )


@styled
def thresholds_of(sweeps: Mapping[str, Thresholds], *, times_sharpness: bool) -> Chart:
    """Returns the largest stable learning rate of each sweep against the delay.

    Args:
        sweeps: by what each is called.
        times_sharpness: multiplies each by its sharpness λ, which brings different networks together.
    """
    lines = {
        label: [(p.delay, p.measured * (found.sharpness if times_sharpness else 1)) for p in found.points]
        for label, found in sweeps.items()
        if found.points
    }
    fixed = all(found.delay_is_fixed for found in sweeps.values())
    varying = "" if fixed else " One whose delays vary is a point at its longest delay, or at its workers less one."
    figure = new_figure()
    axes = figure.subplots()
    ends, colours = [], []
    for place, (label, line) in enumerate(lines.items()):
        style = series(place)
        axes.plot(*split(line), **style)
        ends.append((*line[-1], label))
        colours.append(style["color"])
    delays = {delay for line in lines.values() for delay, _ in line}
    values = [value for line in lines.values() for _, value in line]
    delay_axis(axes, delays)
    log_axis(axes, "y", min(values), max(values))
    axes.set_ylabel("η λ at the stability threshold" if times_sharpness else "largest stable learning rate η")
    label_ends(axes, ends, colours)
    return Chart(
        name="thresholds-times-sharpness" if times_sharpness else "thresholds",
        title="The same, times each one's sharpness λ" if times_sharpness else "Largest stable learning rates",
        says="What still lies apart is not due to the networks' curvature but to how gradients become steps."
        if times_sharpness
        else f"A line is a sweep.{varying}",
        figure=figure,
        table=Table(
            columns=("run", "delay τ", "η λ" if times_sharpness else "η"),
            rows=[(label, *point) for label, line in lines.items() for point in line],
        ),
    )


@styled
def best_rates_of(grids: Mapping[str, GridSummary]) -> Chart | None:
    """Returns the best learning rate of each grid against the delay, with theory's threshold; None if all diverged."""
    figure = new_figure()
    axes = figure.subplots()
    ends, colours, rows = [], [], []
    for place, (label, grid) in enumerate(grids.items()):
        style = series(place)
        best = [(row.delay, row.best_learning_rate or np.nan) for row in grid.rows]
        axes.plot(*split(best), **style)  # broken where every learning rate diverged
        axes.plot(grid.delays, [row.theory for row in grid.rows], ":", color=style["color"], linewidth=1.2)
        rows += [(label, row.delay, row.best_learning_rate, row.theory) for row in grid.rows]
        trained = [point for point in best if np.isfinite(point[1])]
        if trained:
            ends.append((*trained[-1], label))
            colours.append(style["color"])
    if not ends:
        return None
    rates = [rate for row in rows for rate in row[2:] if rate is not None]
    delay_axis(axes, [row[1] for row in rows])
    log_axis(axes, "y", min(rates), max(rates))
    axes.set_ylabel("best learning rate η (dots: theory's threshold)")
    label_ends(axes, ends, colours)
    return Chart(
        name="best-rates",
        title="The best learning rate at each delay",
        says="A line is a grid, and the dotted line of its colour is theory's threshold at the sharpness of its "
        "initial weights, which training changes. A line is broken where every training diverged.",
        figure=figure,
        table=Table(columns=("run", "delay τ", "best η", "theory's threshold"), rows=rows),
    )


def _beside(place: int, number: int) -> float:
    """Returns how far the marks of a run are moved, of so many runs, so that they do not cover those of the others."""
    return WIDEST * ((place + 0.5) / number - 0.5)


@styled
def settled_of(runs: Mapping[str, Edges]) -> Chart | None:
    """Returns what the trainings of each run settle at, over the delay; None where none has come so far."""
    delays = sorted({point.delay for edges in runs.values() for point in edges.points})
    figure = new_figure()
    axes = figure.subplots()
    draw_edge(axes)
    ends, colours = [], []
    for place, (label, edges) in enumerate(runs.items()):
        style, moved = series(place), _beside(place, len(runs))
        found = [(delays.index(point.delay) + moved, point) for point in edges.points if point.ratio is not None]
        line = [(x, point.ratio) for x, point in found if point.ratio is not None]
        for x, point in found:
            draw_settled(axes, x, point, style | {"ecolor": style["color"], "elinewidth": 0.9})
        if len({x for x, _ in line}) == len(line):  # or there are several learning rates at a delay
            axes.plot(*split(line), color=style["color"], linewidth=0.9)
        if line:
            ends.append((*line[-1], label))
            colours.append(style["color"])
    if not ends:
        return None
    axes.set_xticks(range(len(delays)), [str(delay) for delay in delays])
    axes.set(xlabel="delay τ, steps", ylabel="η λ / the delay's threshold, late in training")
    label_ends(axes, ends, colours)
    return Chart(
        name="settled",
        title="What training settles at",
        says="A series is a run: the median over the last quarter of the steps, with the range of the seeds as a bar. "
        "Below 1 a minimum of this sharpness is stable, above it is not; the band is 3 % around it. Hollow points are "
        "of trainings that are not at their end.",
        figure=figure,
        table=Table(
            columns=("run", "delay τ", "η", "ηλ / threshold", "lowest seed", "highest seed"),
            rows=[
                (label, p.delay, p.learning_rate, p.ratio, p.lowest, p.highest)
                for label, edges in runs.items()
                for p in edges.points
            ],
        ),
    )


@styled
def regrets_of(runs: Mapping[str, Regret]) -> Chart:
    """Returns the regret of each method in each simulation, halfway and at the end."""
    methods = list(dict.fromkeys(method.words for regret in runs.values() for method in regret.methods))
    figure = new_figure(height=1.8 + 0.16 * len(methods) * (1 + len(runs)))
    panels = figure.subplots(1, 2, sharey=True)
    rows, marks = [], []
    for place, (label, regret) in enumerate(runs.items()):
        style, moved = series(place), _beside(place, len(runs))
        for method in regret.methods:
            quartiles = regret.of(method, np.array([regret.until / 2, regret.until]))
            y = methods.index(method.words) + moved
            for axes, (lower, median, upper) in zip(panels, quartiles.T.tolist(), strict=True):
                spread = [[median - lower], [upper - median]]
                drawn = axes.errorbar([median], [y], xerr=spread, elinewidth=0.9, linestyle="none", **style)
            rows.append((label, method.words, *quartiles.T.ravel().tolist()))
        marks.append(drawn)
    goal = next(iter(runs.values()))
    for axes, title in zip(panels, ("halfway", "at the end"), strict=True):
        axes.set(title=title, xlabel=f"regret: {in_words(goal.metric)} short of the best")
        axes.axvline(0, color=INK, linewidth=0.8)
        right = axes.get_xlim()[1]
        axes.set_xlim(-0.05 * right, right)
    panels[0].set_yticks(range(len(methods)), methods)
    panels[0].invert_yaxis()
    figure.legend(marks, list(map(short, runs)), loc="outside upper left", ncols=min(3, len(runs)))
    times = ("halfway", "at the end")
    quarters = [f"{which} {time}" for time in times for which in ("lower quartile", "median", "upper quartile")]
    return Chart(
        name="regrets",
        title="Regret by method",
        says="How far the best value until then is from the best of the simulation's table: the median of a method's "
        "runs, with the quartiles as a bar.",
        figure=figure,
        table=Table(columns=("run", "method", *quarters), rows=rows),
    )
