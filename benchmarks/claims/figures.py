"""Draws the paper's claims: accuracy against delay, and the stability thresholds with three kinds of momentum."""

from pathlib import Path
from statistics import fmean
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import tautune
from benchmarks.claims.conclusions import by_way, whole
from tautune.analysis.figure_style import BEHIND, FAINT, QUIET, label_ends, new_figure, series, styled
from tautune.analysis.threshold_figure import draw_escapes, draw_inverse
from tautune.analysis.thresholds import Thresholds

Json = dict[str, Any]
NAMES = {"none": "no momentum", "momentum": "momentum 0.9", "shifted": "shifted 0.9", "large": "large batch"}
SWEEPS = {"none": "digits", "momentum": "digits-momentum-0.9", "shifted": "digits-shifted-0.9"}
"""Folders of the sweeps that were made already, by the kind of momentum."""
LATE = [name for kind, name in NAMES.items() if kind != "large"]
"""What is shown whole where late gradients do not diverge."""
PANELS = {
    "η as tuned without delay": {"none": "kept", "momentum": "kept", "shifted": "kept", "large": "kept"},
    "η scaled by the threshold": {"none": "usable", "momentum": "usable", "shifted": "usable", "large": "linear"},
    "η tuned at each delay": {"none": "tuned", "momentum": "tuned", "shifted": "tuned", "large": "tuned"},
}
"""How the learning rate was found, by the kind of row, in each panel."""


@styled
def accuracy_figure(found: Json) -> Figure:
    """Returns a figure of test accuracy over the delay; a panel for each way to find the learning rate."""
    figure = new_figure(13.0, 4.4)
    figure.suptitle("A small convolutional network on Fashion-MNIST, 14 × 14 pixels", x=0.01, ha="left")
    panels = figure.subplots(1, len(PANELS))
    seeds = [_accuracies(axes, found, ways) for axes, ways in zip(panels, PANELS.values(), strict=True)]
    for axes, title in zip(panels, PANELS, strict=True):
        axes.set_title(title)
    panels[0].set_ylabel("test accuracy, % (bars: range of the seeds)")
    for axes in panels[1:]:
        late = [y for line in axes.get_lines() if line.get_label() in LATE for y in np.asarray(line.get_ydata())]
        axes.set_ylim(min(late) - 2, max(late) + 2)
    for axes, own in zip(panels, seeds, strict=True):
        _ranges(axes, own)
    for axes in panels:
        lines = [line for line in axes.get_lines() if not str(line.get_label()).startswith("_")]
        seen = [line for line in lines if _last(line)[1] >= axes.get_ylim()[0]]
        ends = [(*_last(line), str(line.get_label())) for line in seen]
        label_ends(axes, ends, [str(line.get_color()) for line in seen])
        for line in (line for line in lines if line not in seen):
            said = f"{line.get_label()}: falls to {_last(line)[1]:.0f} %"
            axes.text(0.02, 0.03, said, color=QUIET, transform=axes.transAxes, bbox=BEHIND)
    return figure


def _last(line: Line2D) -> tuple[float, float]:
    x, y = (np.asarray(values) for values in line.get_data())
    return float(x[-1]), float(y[-1])


def _accuracies(axes: Axes, found: Json, ways: dict[str, str]) -> dict[str, list[list[float]]]:
    """Draws a line of means for each kind of row. Returns the seeds' accuracies in percent at each delay, by colour."""
    rows = {(row["kind"], row["delay"]): row for row in found["rows"]}
    delays = [0, *whole(found)]
    small = fmean(by_way(rows["none", 0], "tuned"))
    axes.axhline(100 * small, color=FAINT, linewidth=2.4, zorder=1)
    axes.text(
        0.98,
        100 * small,
        "small batches, no delay",
        color=QUIET,
        va="bottom",
        ha="right",
        transform=axes.get_yaxis_transform(),
        bbox=BEHIND,
    )
    seeds = {}
    for place, (kind, way) in enumerate(ways.items()):
        first = rows["momentum" if kind in ("momentum", "shifted") else "none", 0]
        values = [by_way(first, "tuned"), *(by_way(rows[kind, delay], way) for delay in delays[1:])]
        style = series(place) | ({"linestyle": ":"} if kind == "large" else {})
        seeds[style["color"]] = [[100 * accuracy for accuracy in each] for each in values]
        axes.plot(range(len(delays)), [100 * fmean(each) for each in values], label=NAMES[kind], **style)
    axes.set_xticks(range(len(delays)), [str(delay) for delay in delays])
    axes.set_xlabel("delay τ, steps (large batch: τ + 1 times)")
    return seeds


def _ranges(axes: Axes, seeds: dict[str, list[list[float]]]) -> None:
    """Draws bars from the worst seed to the best one; none where the mean is below the panel, and nobody sees whose."""
    low, high = axes.get_ylim()
    for colour, values in seeds.items():
        places = [place for place, each in enumerate(values) if fmean(each) >= low]
        bounds = [min(values[place]) for place in places], [max(values[place]) for place in places]
        axes.vlines(places, *bounds, color=colour, linewidth=1.4)
        for ends in bounds:
            axes.plot(places, ends, linestyle="none", marker="_", color=colour)
    axes.set_ylim(low, high)


@styled
def threshold_figure(results: Path) -> Figure:
    """Returns a figure of departures over η/η_max, and of 1/η over 2τ+1: a column for each kind of momentum."""
    figure = new_figure(13.0, 7.6)
    panels = figure.subplots(2, len(SWEEPS))
    for column, (kind, folder) in zip(panels.T, SWEEPS.items(), strict=True):
        thresholds = cast("Thresholds", tautune.load(results / folder))
        column[0].set_title(f"{NAMES[kind].capitalize()}: until training leaves the minimum")
        draw_escapes(column[0], thresholds, collapsed=True)
        column[1].set_title(f"{NAMES[kind].capitalize()}: the threshold")
        draw_inverse(column[1], thresholds)
    return figure
