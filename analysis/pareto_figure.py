"""Draws the trials of a tuning with several goals, and its Pareto front."""

from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tautune.analysis.figure_style import FAINT, QUIET, VERMILLION, WIDTH, log_axis, mark_trials, new_figure, styled
from tautune.analysis.trial_names import numbered
from tautune.trainables.goal import Goal, in_words

Row = dict[str, Any]


@styled
def pareto_figure(rows: list[Row], goal: Goal) -> Figure:
    """Returns a figure with the first goal over each of the others, a panel each.

    Trials that diverged or failed are left out. With two goals, a line separates what the front dominates.

    Args:
        rows: the trials, each with `on_front`.
    """
    columns = len(goal.others)
    figure = new_figure(max(WIDTH, 4.4 * columns), 4.6)
    usable = [row for row in rows if row["state"] not in ("diverged", "failed")]
    for axes, (name, mode) in zip(figure.subplots(1, columns, squeeze=False)[0], goal.others, strict=True):
        _draw(axes, usable, goal, name, where="post" if mode == "min" else "pre")
    return figure


def _draw(axes: Axes, rows: list[Row], goal: Goal, name: str, *, where: Literal["post", "pre"]) -> None:
    front = sorted((row for row in rows if row["on_front"]), key=lambda row: float(row[name]))
    kinds = {
        "other trials": ([row for row in rows if not row["on_front"] and goal.is_feasible(row)], "o", FAINT),
        "above a limit": ([row for row in rows if not goal.is_feasible(row)], "x", QUIET),
        "Pareto front": (front, "D", VERMILLION),
    }
    for label, (some, marker, color) in kinds.items():
        if some:
            marks = axes.scatter(*_places(some, goal, name), marker=marker, color=color, s=26, label=label, zorder=3)
            mark_trials(marks, [str(row["trial"]) for row in some])
    if len(goal.others) == 1:
        axes.step(*_places(front, goal, name), where=where, color=VERMILLION, linewidth=1)
    for row in front:
        number = numbered(row["number"]) if row.get("number") else ""
        axes.annotate(number, (row[name], row[goal.metric]), xytext=(5, 5), textcoords="offset points")
    values = [row[name] for row in rows]
    axes.set(xlabel=in_words(name), ylabel=goal.words)
    if values and min(values) > 0 and max(values) > 30 * min(values):
        log_axis(axes, "x", min(values), max(values))
    if rows:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)


def _places(rows: list[Row], goal: Goal, name: str) -> tuple[list[float], list[float]]:
    return [row[name] for row in rows], [row[goal.metric] for row in rows]
