"""Draws the trials of a tuning with several goals, and its Pareto front."""

from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tautune.trainables.goal import Goal

Row = dict[str, Any]


def pareto_figure(rows: list[Row], goal: Goal) -> Figure:
    """Returns a figure with the first goal over each of the others, a panel each.

    Trials that diverged or failed are left out. With two goals, a line separates what the front dominates.

    Args:
        rows: the trials, each with `on_front`.
    """
    columns = len(goal.others)
    figure = Figure(figsize=(1.2 + 5.2 * columns, 4.8), layout="constrained")  # pyplot would open windows
    figure.suptitle(f"{goal.words} and {', '.join(name for name, _ in goal.others)}")
    usable = [row for row in rows if row["state"] not in ("diverged", "failed")]
    for axes, (name, mode) in zip(figure.subplots(1, columns, squeeze=False)[0], goal.others, strict=True):
        _draw(axes, usable, goal, name, where="post" if mode == "min" else "pre")
    return figure


def _draw(axes: Axes, rows: list[Row], goal: Goal, name: str, *, where: Literal["post", "pre"]) -> None:
    front = sorted((row for row in rows if row["on_front"]), key=lambda row: float(row[name]))
    kinds = {
        "trials": ([row for row in rows if not row["on_front"] and goal.is_feasible(row)], "o", "0.6"),
        "above a limit": ([row for row in rows if not goal.is_feasible(row)], "x", "0.6"),
        "Pareto front": (front, "o", "crimson"),
    }
    for label, (some, marker, color) in kinds.items():
        if some:
            axes.plot(*_places(some, goal, name), marker, color=color, label=label)
    if len(goal.others) == 1:
        axes.step(*_places(front, goal, name), where=where, color="crimson", linewidth=1)
    for row in front:
        axes.annotate(
            f"{row.get('number') or ''}", (row[name], row[goal.metric]), xytext=(4, 4), textcoords="offset points"
        )
    values = [row[name] for row in rows]
    wide = bool(values) and min(values) > 0 and max(values) > 30 * min(values)
    axes.set(xlabel=name.replace("_", " "), ylabel=goal.words, xscale="log" if wide else "linear")
    if rows:
        axes.legend()


def _places(rows: list[Row], goal: Goal, name: str) -> tuple[list[float], list[float]]:
    return [row[name] for row in rows], [row[goal.metric] for row in rows]
