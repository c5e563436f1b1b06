"""Draws the trials of a tuning with several goals, and its Pareto front."""

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tautune.analysis.figure_style import (
    BEHIND,
    FAINT,
    QUIET,
    VERMILLION,
    WIDTH,
    focused,
    inside,
    log_axis,
    mark_trials,
    new_figure,
    styled,
)
from tautune.analysis.trial_names import numbered
from tautune.trainables.goal import Goal, in_words

Row = dict[str, Any]
CORNERS = ((5, 5, "left"), (-5, 5, "right"), (5, -11, "left"), (-5, -11, "right"))
"""Where a number may stand beside its point, the first choice first: points to the right, points up, its alignment."""
LETTER, LINE = 6.0, 10.0
"""Width of a figure and height of a line of such numbers, in points."""


@styled
def pareto_figure(rows: list[Row], goal: Goal) -> Figure:
    """Returns a figure with the first goal over each of the others, a panel each.

    Trials that diverged or failed are left out, and those too bad for the first goal's axis are drawn at its end. With
    two goals, a line separates what the front dominates.

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
    axes.set(xlabel=in_words(name), ylabel=goal.words)
    if not rows:
        return
    low, high = axis_of(rows, goal)
    axes.set_ylim(low, high)
    for label, (some, marker, color) in kinds.items():
        if some:
            x, y = [row[name] for row in some], [inside(row[goal.metric], low, high) for row in some]
            marks = axes.scatter(x, y, marker=marker, color=color, s=26, label=label, zorder=3)
            mark_trials(marks, [str(row["trial"]) for row in some])
    if len(goal.others) == 1:
        axes.step(
            [row[name] for row in front],
            [row[goal.metric] for row in front],
            where=where,
            color=VERMILLION,
            linewidth=1,
        )
    values = [row[name] for row in rows]
    if min(values) > 0 and max(values) > 30 * min(values):
        log_axis(axes, "x", min(values), max(values))
    elif max(values) >= 10_000:
        axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    _number(axes, [(row[name], row[goal.metric], numbered(row["number"])) for row in front if row.get("number")])


def axis_of(rows: list[Row], goal: Goal) -> tuple[float, float]:
    """Returns the ends of the first goal's axis: where its good values can be told apart, and all of the front is."""
    low, high = focused(np.array([float(row[goal.metric]) for row in rows]), goal.mode)
    front = [float(row[goal.metric]) for row in rows if row["on_front"]]
    room = 0.06 * (high - low)
    return min([low, *(value - room for value in front)]), max([high, *(value + room for value in front)])


def _number(axes: Axes, points: list[tuple[float, float, str]]) -> None:
    """Writes a number beside each point, where it hides no other number and no other point, or else none."""
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    places = [axes.transData.transform((x, y)) * 72 / axes.figure.dpi for x, y, _ in points]
    taken = [(x - 3, y - 3, x + 3, y + 3) for x, y in places]
    for (x, y), point in zip(places, points, strict=True):
        wide = LETTER * len(point[2])
        for right, up, side in CORNERS:
            left = x + right - (wide if side == "right" else 0)
            box = (left, y + up, left + wide, y + up + LINE)
            if not any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
                taken.append(box)
                axes.annotate(point[2], point[:2], (right, up), textcoords="offset points", ha=side, va="bottom",
                              bbox=BEHIND, zorder=4)  # fmt: skip
                break
