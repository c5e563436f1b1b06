"""How a population moved: what each trial's hyperparameters were, epoch by epoch."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from tautune.analysis.figure_style import FAINT, label_ends, log_axis, mark_trials, new_figure, styled
from tautune.analysis.pages.page import Chart, Table
from tautune.analysis.reports.parts.tuned import Json, Tuned, keys

ACROSS = 2
"""Panels beside each other."""


@styled
def lineage(tuned: Tuned) -> Chart | None:
    """Returns the hyperparameters of every trial over its epochs, and those of the weights that it took over."""
    rows = [row for row in tuned.drawn if row.get("history")]
    moved = _moved(rows)
    if not moved:
        return None
    down = math.ceil(len(moved) / ACROSS)
    figure = new_figure(height=2.6 * down)
    panels = figure.subplots(down, ACROSS, squeeze=False).ravel()
    for axes, name in zip(panels, moved, strict=False):
        _draw(axes, tuned, rows, name)
    for axes in panels[len(moved) :]:
        axes.remove()
    for axes, name in zip(panels, moved, strict=False):
        best = [row for row in tuned.best if row in rows]
        label_ends(
            axes, [(row["epochs"], row["history"][-1][name], tuned.names[row["trial"]].split()[0]) for row in best]
        )
    table = [
        (tuned.names[row["trial"]], entry["epoch"], *(entry.get(name) for name in moved))
        for row in rows
        for entry in row["history"]
    ]
    return Chart(
        name="lineage",
        title="How the population moved",
        says="A line is what the weights of a trial's best epoch were trained with, through every trial that they came "
        f"from; {tuned.the_best} coloured. A line jumps where the population changed a hyperparameter.",
        figure=figure,
        table=Table(columns=("trial", "from epoch", *moved), rows=table),
    )


def _moved(rows: list[Json]) -> list[str]:
    """Returns the hyperparameters that changed within some trial."""
    found: dict[str, None] = {}
    for row in rows:
        for before, after in zip(row["history"], row["history"][1:], strict=False):
            found |= {n: None for n, v in after.items() if n != "epoch" and _is_number(v) and before.get(n) != v}
    return list(found)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _draw(axes: Axes, tuned: Tuned, rows: list[Json], name: str) -> None:
    paths = {row["trial"]: _steps(row, name) for row in rows}
    values = [value for path in paths.values() for _, value in path]
    entry = tuned.space.get(name)
    if min(values) > 0 and ((entry is not None and entry.log) or max(values) > 30 * min(values)):
        log_axis(axes, "y", min(values), max(values))
    best = [row for row in tuned.best if row in rows]
    others = [row for row in rows if row not in best]
    for some, colours, width in ((others, [FAINT], 0.9), (best, [tuned.style(row)[0] for row in best], 1.8)):
        if some:
            lines = LineCollection([paths[row["trial"]] for row in some], colors=colours, linewidths=width)
            mark_trials(axes.add_collection(lines), keys(some))
    axes.autoscale_view()
    axes.set(xlabel="epoch", ylabel=name)


def _steps(row: Json, name: str) -> list[tuple[float, float]]:
    """Returns the corners of a line that stays where it is until the next change."""
    entries = [(entry["epoch"], entry[name]) for entry in row["history"] if name in entry]
    ends = [*(epoch for epoch, _ in entries[1:]), max(row["epochs"], entries[-1][0])]
    return [
        corner for (begin, value), end in zip(entries, ends, strict=True) for corner in ((begin, value), (end, value))
    ]
