"""Draws the final losses of every optimizer and remedy at every delay."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from benchmarks.outcomes.conclusions import mean, spread

Json = dict[str, Any]


def outcome_figure(found: Mapping[str, Sequence[Json]]) -> Figure:
    """Returns a heat map for each data set, a row for each optimizer and remedy and a column for each delay.

    The numbers are mean and standard deviation over the seeds; rows are in advise's order at the second delay.
    """
    figure = Figure(figsize=(2 + 4.6 * len(found), 9), layout="constrained")
    for axes, (data, rows) in zip(figure.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True):
        delays = sorted({row["delay"] for row in rows})
        by_rank = sorted((row for row in rows if row["delay"] == delays[min(1, len(delays) - 1)]), key=_rank)
        names = [_name(row) for row in by_rank]
        table = {(_name(row), row["delay"]): row for row in rows}
        losses = np.array([[mean(table[name, delay]) for delay in delays] for name in names])
        image = axes.imshow(losses, norm=LogNorm(), cmap="viridis_r", aspect="auto")
        for (i, j), loss in np.ndenumerate(losses):
            dark = image.norm(loss) > 0.5
            text = f"{loss:.3f} ± {spread(table[names[i], delays[j]]):.3f}"
            axes.text(j, i, text, ha="center", va="center", fontsize=7, color="w" if dark else "k")
        axes.set_xticks(range(len(delays)), [str(delay) for delay in delays])
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.set(title=f"{data}: final validation loss", xlabel="delay τ, steps")
        ticks = np.geomspace(losses.min(), losses.max(), 4)
        bar = figure.colorbar(image, location="bottom", shrink=0.7, ticks=ticks, format="%.2g")
        bar.minorticks_off()
    return figure


def _name(row: Json) -> str:
    remedy = row["remedy"].partition(":")[0]
    return row["optimizer"] if remedy == "none" else f"{row['optimizer']}, {remedy}"


def _rank(row: Json) -> int:
    rank: int = row["rank"]
    return rank
