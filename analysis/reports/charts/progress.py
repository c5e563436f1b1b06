"""How a tuning went: the best result so far against what was spent, and every trial's learning curve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from tautune.analysis.figure_style import (
    BLUE,
    FAINT,
    QUIET,
    inside,
    label_ends,
    log_axis,
    mark_trials,
    new_figure,
    split,
    styled,
)
from tautune.analysis.method_names import in_words
from tautune.analysis.pages.page import Chart, Table
from tautune.analysis.reports.parts.tuned import Json, Tuned, keys

Step = tuple[int, float, str]
"""Epochs that were spent, the metric, and whose it is."""


@styled
def best_so_far(tuned: Tuned) -> Chart:
    """Returns the best result so far against the epochs that all trials have trained together."""
    goal, fits = tuned.goal, _fits(tuned)
    steps = list(improvements(tuned))
    figure = new_figure(height=3.4)
    axes = figure.subplots()
    spent, values, trials = zip(*((fits * spent, value, trial) for spent, value, trial in steps), strict=True)
    end = fits * len(tuned.history.reports)
    axes.plot((*spent, end), (*values, values[-1]), drawstyle="steps-post", color=BLUE)
    mark_trials(axes.scatter(spent, values, color=BLUE, s=22, zorder=3), trials)
    _value_axis(axes, tuned, list(values))
    axes.set(xlabel=f"{tuned.spent}, of all trials together", ylabel=f"best {goal.words} so far", xlim=(0, None))
    label_ends(axes, [(end, values[-1], tuned.names.get(trials[-1], trials[-1]).split()[0])])
    rows = [(tuned.names.get(t, t), s, v) for s, v, t in zip(spent, values, trials, strict=True)]
    return Chart(
        name="best-so-far",
        title=f"Best {goal.words} so far",
        says=f"Each point is a trial that was better than all before it; there were {end:,} {goal.unit} in all.",
        figure=figure,
        table=Table(columns=("trial", tuned.spent, goal.words), rows=rows, trials=trials),
    )


def _fits(tuned: Tuned) -> int:
    """Returns how many networks a trial trains: one for each fold and repeat."""
    return int(tuned.configuration.get("folds", 1)) * int(tuned.configuration.get("repeats", 1))


def improvements(tuned: Tuned) -> Iterator[Step]:
    """Yields what was better than all before it, in its order."""
    allowed = {row["trial"] for row in tuned.good if tuned.goal.is_feasible(row)}
    best: float | None = None
    for spent, report in enumerate(tuned.history.reports, start=1):
        better = best is None or (report.value > best if tuned.goal.mode == "max" else report.value < best)
        if better and not report.bad and report.trial in allowed:
            best = report.value
            yield spent, report.value, report.trial


def _value_axis(axes: Axes, tuned: Tuned, values: list[float]) -> None:
    low, high = min(values), max(values)
    if tuned.goal.mode == "min" and low > 0 and high > 10 * low:
        log_axis(axes, "y", low, high)
    axes.margins(y=0.12)


@styled
def learning_curves(tuned: Tuned) -> Chart:
    """Returns the metric of every trial at every epoch: the best five in colour, and where others were stopped."""
    goal = tuned.goal
    drawn = [row for row in tuned.drawn if row["trial"] in tuned.curves]
    best = [row for row in tuned.best if row in drawn]
    others = [row for row in drawn if row not in best]
    points = {
        row["trial"]: [(r.epoch, r.value) for r in tuned.curves[row["trial"]] if not r.bad] or [(1, row[goal.metric])]
        for row in drawn
    }
    low, high, is_log = tuned.curve_limits
    figure = new_figure()
    axes = figure.subplots()
    if is_log:
        log_axis(axes, "y", low, high)
    axes.set_ylim(low, high)
    lines = LineCollection([points[key] for key in keys(others)], colors=FAINT, linewidths=0.8, alpha=0.8)
    mark_trials(axes.add_collection(lines, autolim=False), keys(others))
    for row in reversed(best):
        _draw_best(axes, tuned, row, points[row["trial"]])
    stopped = [row for row in others if row["state"] == "stopped"]
    places = [(x, inside(y, low, high, log=is_log)) for x, y in (points[row["trial"]][-1] for row in stopped)]
    mark_trials(axes.scatter(*split(places), marker="x", color=QUIET, s=16, linewidths=1, zorder=2), keys(stopped))
    longest = max(x for own in points.values() for x, _ in own)
    axes.set_xlim(1 - longest / 60, max(longest, 2))
    axes.set(xlabel=tuned.one, ylabel=goal.words)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    ends = [(row, points[row["trial"]][-1]) for row in best]
    label_ends(
        axes,
        [(x, inside(y, low, high, log=is_log), tuned.names[row["trial"]].split()[0]) for row, (x, y) in ends],
        [tuned.style(row)[0] for row in best],
    )
    return Chart(
        name="learning-curves",
        title="Learning curves",
        says=_curves_in_words(tuned, bool(stopped)),
        figure=figure,
        table=_curves_table(tuned, drawn),
    )


def _draw_best(axes: Axes, tuned: Tuned, row: Json, points: Sequence[tuple[float, float]]) -> None:
    """Draws one of the best few, with a point at its best epoch."""
    colour, marker = tuned.style(row)
    line = LineCollection([points], colors=colour, linewidths=1.8, zorder=3)
    mark_trials(axes.add_collection(line, autolim=False), keys([row]))
    low, high, is_log = tuned.curve_limits
    place = (row["epochs"], inside(row[tuned.goal.metric], low, high, log=is_log))
    at_best = axes.scatter(*place, color=colour, marker=marker, s=34, zorder=4, clip_on=False)
    mark_trials(at_best, keys([row]))


def _curves_in_words(tuned: Tuned, stopped: bool) -> str:
    scheduler = in_words(tuned.configuration.get("scheduler", "the scheduler"))
    crosses = f" A cross is where {scheduler} stopped a trial." if stopped else ""
    return (
        f"A line is a trial; {tuned.the_best} coloured, with a point at the best {tuned.one} and the trial's number at "
        f"the end.{crosses}{tuned.beyond_of(*tuned.curve_limits[:2])}{tuned.thinned}"
    )


def _curves_table(tuned: Tuned, drawn: list[Json]) -> Table:
    epochs = sorted({report.epoch for row in drawn for report in tuned.curves[row["trial"]]})
    if len(epochs) > 50:
        epochs = sorted({epochs[round(i * (len(epochs) - 1) / 49)] for i in range(50)})
    rows = []
    for row in drawn:
        own = {report.epoch: report.value for report in tuned.curves[row["trial"]]}
        rows.append([tuned.names[row["trial"]], *(own.get(epoch) for epoch in epochs)])
    return Table(columns=("trial", *map(str, epochs)), rows=rows, trials=keys(drawn))
