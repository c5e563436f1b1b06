"""Draws a simulation: each method's regret over simulated time, its median and its quartiles."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from tautune.analysis.figure_style import SERIES, label_ends, new_figure, styled
from tautune.trainables.goal import in_words

if TYPE_CHECKING:
    from tautune.analysis.regret import Regret

STYLES = ("-", "--", ":", "-.")
"""Lines of the schedulers, in their order; the searches have colours."""


@styled
def regret_figure(regret: Regret) -> Figure:
    """Returns a figure with a line for each method, on a log scale that ends in a linear piece around 0."""
    figure = new_figure(height=4.8)
    axes = figure.subplots()
    searches, schedulers = (list(dict.fromkeys(names)) for names in zip(*regret.methods, strict=True))
    ends = []
    for method in regret.methods:
        lower, median, upper = regret.of(method)
        colour, style = (
            SERIES[searches.index(method.search) % len(SERIES)],
            STYLES[schedulers.index(method.scheduler) % len(STYLES)],
        )
        axes.plot(regret.times, median, style, color=colour, drawstyle="steps-post")
        ends.append((regret.until, median[-1], method.words))
        axes.fill_between(regret.times, lower, upper, step="post", color=colour, alpha=0.12, linewidth=0)
    drawn = np.concatenate([regret.of(method).ravel() for method in regret.methods])
    axes.set_yscale("symlog", linthresh=_smallest(drawn))
    axes.set(
        xlabel=f"simulated time, {regret.unit}",
        ylabel=f"regret: {in_words(regret.metric)} short of the best, {regret.best_value:.5g}",
        title=_title(regret),
        xlim=(0, regret.until),
        ylim=(0, None),
    )
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    label_ends(axes, ends)
    return figure


def _smallest(drawn: NDArray[np.float64]) -> float:
    above = drawn[drawn > 0]
    return float(above.min()) if len(above) else 1.0


def _title(regret: Regret) -> str:
    workers = "1 worker" if regret.workers == 1 else f"{regret.workers} workers"
    repeats = len({run.seed for run in regret.runs})
    return f"{PurePath(regret.table).name}: {workers}, median and quartiles of {repeats} runs"
