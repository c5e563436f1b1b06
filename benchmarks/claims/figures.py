"""Draws the paper's claims: accuracy against delay, and the stability thresholds with three kinds of momentum."""

from pathlib import Path
from statistics import fmean, stdev
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import tautune
from benchmarks.claims.conclusions import by_way, whole
from tautune.analysis.figure_style import FAINT, QUIET, label_ends, new_figure, series, styled
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
    for axes, (title, ways) in zip(panels, PANELS.items(), strict=True):
        axes.set_title(title)
        _accuracies(axes, found, ways)
    panels[0].set_ylabel("test accuracy, %")
    for axes in panels[1:]:
        late = [y for line in axes.get_lines() if line.get_label() in LATE for y in np.asarray(line.get_ydata())]
        axes.set_ylim(min(late) - 2, max(late) + 2)
    figure.draw_without_rendering()
    for axes in panels:
        lines = [line for line in axes.get_lines() if not str(line.get_label()).startswith("_")]
        seen = [line for line in lines if _last(line)[1] >= axes.get_ylim()[0]]
        ends = [(*_last(line), str(line.get_label())) for line in seen]
        label_ends(axes, ends, [str(line.get_color()) for line in seen])
        for line in (line for line in lines if line not in seen):
            said = f"{line.get_label()}: falls to {_last(line)[1]:.0f} %"
            axes.text(0.02, 0.03, said, color=QUIET, transform=axes.transAxes)
    return figure


def _last(line: Line2D) -> tuple[float, float]:
    x, y = (np.asarray(values) for values in line.get_data())
    return float(x[-1]), float(y[-1])


def _accuracies(axes: Axes, found: Json, ways: dict[str, str]) -> None:
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
    )
    for place, (kind, way) in enumerate(ways.items()):
        first = rows["momentum" if kind in ("momentum", "shifted") else "none", 0]
        values = [by_way(first, "tuned"), *(by_way(rows[kind, delay], way) for delay in delays[1:])]
        style = series(place) | ({"linestyle": ":"} if kind == "large" else {})
        means = [100 * fmean(each) for each in values]
        axes.errorbar(
            range(len(delays)),
            means,
            yerr=[100 * (stdev(each) if len(each) > 1 else 0.0) for each in values],
            fmt="none",
            ecolor=style["color"],
            capsize=2,
        )
        axes.plot(range(len(delays)), means, label=NAMES[kind], **style)
    axes.set_xticks(range(len(delays)), [str(delay) for delay in delays])
    axes.set_xlabel("delay τ, steps (large batch: τ + 1 times)")


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
