"""Where in the space the good trials are: parallel coordinates, a slice for each hyperparameter, and importance."""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from tautune.analysis.figure_style import (
    BEHIND,
    BLUE,
    FAINT,
    INK,
    ORANGE,
    QUIET,
    WIDTH,
    log_axis,
    mark_trials,
    new_figure,
    plain_number,
    styled,
)
from tautune.analysis.importance import importance
from tautune.analysis.pages.page import Chart, Table
from tautune.analysis.reports.parts.commands import of_folder
from tautune.analysis.reports.parts.tuned import Json, Tuned, keys
from tautune.records.kept_space import Searched

ABSENT = -0.14
"""Height at which a line passes a hyperparameter that its configuration does not have."""
MOST_AXES = 12
MOST_FOR_A_FOREST = 500
"""Trials of which a report asks fANOVA at most: its forest of 2,000 takes ten seconds."""
ACROSS = 3
"""Panels beside each other."""
WIDEST = 24
"""Letters of all choices together that have room below a panel."""


@dataclass(frozen=True)
class Scale:
    """A hyperparameter's values as places on an axis from 0 to 1."""

    name: str
    low: float
    high: float
    log: bool = False
    choices: tuple[str, ...] = ()

    def place(self, value: Any) -> float:
        """Returns the place of a value."""
        if self.choices:
            return (self.choices.index(_label(value)) + 0.5) / len(self.choices)
        low, high, own = (math.log(v) if self.log else float(v) for v in (self.low, self.high, value))
        return (own - low) / (high - low) if high > low else 0.5

    def ticks(self) -> list[tuple[float, str]]:
        """Returns a few places with what stands beside them."""
        if self.choices:
            return [(self.place_of(choice), choice) for choice in self.choices]
        middle = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2
        return [(self.place(value), plain_number(float(f"{value:.3g}"))) for value in (self.low, middle, self.high)]

    def place_of(self, choice: str) -> float:
        """Returns the place of a choice by its label."""
        return (self.choices.index(choice) + 0.5) / len(self.choices)


def _label(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 14 else f"{text[:13]}…"


def scales(tuned: Tuned) -> list[Scale]:
    """Returns the scale of each hyperparameter that has two values at least, as the trials have them."""
    found = []
    for name, entry in tuned.space.items():
        values = [row["config"][name] for row in tuned.drawn if name in row["config"]]
        if len({_label(value) for value in values}) > 1:
            found.append(_scale(name, entry, values))
    return found


def _scale(name: str, entry: Searched, values: list[Any]) -> Scale:
    if entry.kind == "categorical" or not all(isinstance(value, int | float) for value in values):
        known = [_label(value) for value in entry.choices or ()]
        return Scale(name, 0, 1, choices=tuple(dict.fromkeys([*known, *sorted({_label(v) for v in values})])))
    return Scale(name, min(values), max(values), log=entry.log and min(values) > 0)


@styled
def parallel_coordinates(tuned: Tuned) -> Chart | None:
    """Returns a line for each trial through its hyperparameters to its metric; None for fewer than two of them."""
    own = scales(tuned)[: MOST_AXES - 1]
    if len(own) < 2 or len(tuned.drawn) < 2:
        return None
    low, high, is_log = tuned.limits
    metric = Scale(tuned.goal.words, low, high, is_log)
    figure = new_figure(width=max(WIDTH, 1.05 * (len(own) + 1)))
    axes = figure.subplots()
    best = [row for row in tuned.best if row in tuned.drawn]
    others = [row for row in reversed(tuned.drawn) if row not in best]
    lines = LineCollection([_line(tuned, row, own, metric) for row in others], colors=FAINT, linewidths=0.7, alpha=0.7)
    mark_trials(axes.add_collection(lines), keys(others))
    for row in reversed(best):
        colour, marker = tuned.style(row)
        line = _line(tuned, row, own, metric)
        mark_trials(axes.add_collection(LineCollection([line], colors=colour, linewidths=1.8, zorder=3)), keys([row]))
        mark_trials(axes.scatter(*line[-1], color=colour, marker=marker, s=34, zorder=4), keys([row]))
    _upright(axes, [*own, metric])
    return Chart(
        name="parallel-coordinates",
        title="Parallel coordinates",
        says=f"A line is a trial; {tuned.the_best} coloured. A line that passes below an axis has no such "
        f"hyperparameter.{tuned.beyond}{tuned.thinned} The numbers are in the table of all trials.",
        figure=figure,
    )


def _line(tuned: Tuned, row: Json, own: list[Scale], metric: Scale) -> list[tuple[float, float]]:
    config = row["config"]
    heights = [scale.place(config[scale.name]) if scale.name in config else ABSENT for scale in own]
    return list(enumerate([*heights, metric.place(tuned.shown(row[tuned.goal.metric]))]))


def _upright(axes: Axes, all_scales: list[Scale]) -> None:
    """Draws an axis for each scale, with its name above it and its values to its left."""
    axes.set_axis_off()
    axes.set(xlim=(-0.55, len(all_scales) - 0.85), ylim=(ABSENT - 0.08, 1.16))
    for place, scale in enumerate(all_scales):
        axes.plot([place, place], [0, 1], color=QUIET, linewidth=0.8, zorder=1)
        axes.text(place, 1.1 if place % 2 else 1.045, scale.name, ha="center", va="bottom", fontsize=8.5, color=INK)
        for height, text in scale.ticks():
            axes.plot([place - 0.03, place], [height, height], color=QUIET, linewidth=0.8, zorder=1)
            axes.text(
                place - 0.06, height, text, ha="right", va="center", fontsize=7.5, color=QUIET, zorder=5, bbox=BEHIND
            )


@styled
def slices(tuned: Tuned) -> Chart | None:
    """Returns the metric against each hyperparameter, a panel each; None where nothing was searched."""
    own = scales(tuned)
    if not own:
        return None
    down = math.ceil(len(own) / ACROSS)
    figure = new_figure(height=2.2 * down)
    panels = figure.subplots(down, ACROSS, sharey=True, squeeze=False).ravel()
    for axes, scale in zip(panels, own, strict=False):
        _slice(axes, tuned, scale)
    for axes in panels[len(own) :]:
        axes.remove()
    for axes in panels[::ACROSS]:
        axes.set_ylabel(tuned.goal.words)
    return Chart(
        name="slices",
        title="A slice for each hyperparameter",
        says=f"A point is a trial at its best {tuned.one}; {tuned.the_best} coloured, with the shapes of "
        f"other figures.{tuned.beyond}{tuned.thinned} The numbers are in the table of all trials.",
        figure=figure,
    )


def _slice(axes: Axes, tuned: Tuned, scale: Scale) -> None:
    low, high, is_log = tuned.limits
    if is_log:
        log_axis(axes, "y", low, high, narrow=True)
    if scale.log:
        log_axis(axes, "x", scale.low, scale.high, narrow=True)
    have = [row for row in tuned.drawn if scale.name in row["config"]]
    best = [row for row in tuned.best if row in have]
    others = [row for row in have if row not in best]
    for some, options in (
        (others, {"color": FAINT, "s": 12}),
        *(([row], _point(tuned, row)) for row in reversed(best)),
    ):
        if some:
            x = [_x(scale, row) for row in some]
            mark_trials(axes.scatter(x, [tuned.shown(row[tuned.goal.metric]) for row in some], **options), keys(some))
    axes.set(xlabel=scale.name, ylim=(low, high))
    if scale.choices:
        axes.set(xlim=(-0.5, len(scale.choices) - 0.5))
        axes.set_xticks(range(len(scale.choices)), scale.choices)
        if len("".join(scale.choices)) > WIDEST:
            axes.tick_params(axis="x", labelrotation=20, labelsize=7)


def _point(tuned: Tuned, row: Json) -> dict[str, Any]:
    colour, marker = tuned.style(row)
    return {"color": colour, "marker": marker, "s": 30, "zorder": 3}


def _x(scale: Scale, row: Json) -> float:
    """Returns a value, or the place of a choice, moved a little, always alike: equal points would hide each other."""
    value = row["config"][scale.name]
    if not scale.choices:
        return float(value)
    return scale.choices.index(_label(value)) + random.Random(str(row["trial"])).uniform(-0.2, 0.2)


@styled
def importances(tuned: Tuned) -> Chart:
    """Returns how much each hyperparameter mattered. Raises InputError where Optuna cannot tell."""
    both = len(tuned.rows) <= MOST_FOR_A_FOREST
    found = importance(tuned.rows, tuned.configuration["space"], tuned.goal, fanova=both)
    names = list(found.pedanova)
    places = np.arange(len(names))
    figure = new_figure(height=1.1 + 0.42 * len(names))
    axes = figure.subplots()
    pairs = [(found.pedanova, BLUE, "PED-ANOVA"), *([(found.fanova, ORANGE, "fANOVA")] if both else [])]
    for (shares, colour, label), shift in zip(pairs, (-0.19, 0.19) if both else (0.0,), strict=True):
        widths = [shares.get(name, 0.0) for name in names]
        bars = axes.barh(places + shift, widths, height=0.34, color=colour, label=label)
        axes.bar_label(
            bars, [f"{w:.2f}" if n in shares else "–" for n, w in zip(names, widths, strict=True)], padding=3
        )
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="share of the importance", xlim=(0, 1.15 * max([*found.pedanova.values(), *found.fanova.values()])))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    absent = [name for name in names if both and name not in found.fanova]
    without = f" fANOVA leaves out {' and '.join(absent)}, which not every trial has." if absent else ""
    without += "".join(f" Left out: {name}; {why}." for name, why in found.left_out.items() if name not in absent)
    variance = (
        ", fANOVA what mattered for the differences between all."
        if both
        else f"; `{of_folder('results', tuned.folder)} --importance` has fANOVA too, which takes long."
    )
    return Chart(
        name="importance",
        title=f"Importance for {tuned.goal.words}",
        says=f"PED-ANOVA tells what mattered for being among the best {found.best} of {found.trials:,} trials{variance}"
        f"{without}",
        figure=figure,
        table=Table(
            columns=("hyperparameter", "PED-ANOVA", "fANOVA"),
            rows=[(name, found.pedanova[name], found.fanova.get(name)) for name in names],
        ),
    )
