"""Where a scheduler stopped trials: how many reached each rung, and how good they were there."""

from __future__ import annotations

import numpy as np

from tautune.analysis.figure_style import BLUE, INK, QUIET, focused, inside, mark_trials, new_figure, styled
from tautune.analysis.method_names import in_words
from tautune.analysis.pages.page import Chart, Table
from tautune.analysis.reports.parts.tuned import Json, Tuned, keys


def rungs(tuned: Tuned) -> list[int]:
    """Returns the epochs at which some trial was stopped."""
    return sorted({row["epochs_trained"] for row in tuned.good if row["state"] == "stopped"})


@styled
def rungs_chart(tuned: Tuned) -> Chart | None:
    """Returns the metric of all that reached each rung, those that were stopped there apart; None without curves."""
    epochs = rungs(tuned)
    if not epochs or not tuned.history.reports:
        return None
    at = {epoch: _at(tuned, epoch) for epoch in epochs}
    ends = [focused(np.array([value for _, value in there]), tuned.goal.mode) for there in at.values()]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    figure = new_figure(height=3.8)
    axes = figure.subplots()
    table = []
    for place, epoch in enumerate(epochs):
        there = at[epoch]
        stopped = [(row, value) for row, value in there if _ended(row, epoch)]
        on = [(row, value) for row, value in there if not _ended(row, epoch)]
        styles = ((on, -0.12, {"color": BLUE}), (stopped, 0.12, {"color": QUIET, "marker": "x", "linewidths": 1.2}))
        for some, shift, style in styles:
            if some:
                values = [inside(value, low, high) for _, value in some]
                marks = axes.scatter([place + shift] * len(values), values, s=22, **style)
                mark_trials(marks, keys(row for row, _ in some))
        axes.annotate(f"{len(on)} of {len(there)}\nwent on", (place, 1.01), xycoords=("data", "axes fraction"),
                      ha="center", va="bottom", fontsize=8, color=INK)  # fmt: skip
        table.append((epoch, len(there), len(on), len(stopped)))
    axes.set_xticks(range(len(epochs)), [str(epoch) for epoch in epochs])
    out = any(not low <= value <= high for there in at.values() for _, value in there)
    beyond = " What lies beyond the axis is drawn at its end." if out else ""
    rule = (
        "A trial is compared with those that reached the rung before it, so the first ones go on however bad they are."
    )
    how = f" {rule}" if tuned.configuration["scheduler"] == "asha" else ""
    axes.set(xlabel=tuned.one, ylabel=tuned.goal.words, ylim=(low, high), xlim=(-0.5, len(epochs) - 0.5))
    return Chart(
        name="rungs",
        title=f"Where {in_words(tuned.configuration['scheduler'])} stopped trials",
        says=f"Points went on; crosses were stopped there.{how}{beyond}{tuned.thinned}",
        figure=figure,
        table=Table(columns=(tuned.one, "reached it", "went on", "stopped"), rows=table),
    )


def _ended(row: Json, epoch: int) -> bool:
    return bool(row["state"] == "stopped" and row["epochs_trained"] == epoch)


def _at(tuned: Tuned, epoch: int) -> list[tuple[Json, float]]:
    """Returns the trials that reported this epoch, with the metric that they had at it."""
    found = []
    for row in tuned.drawn:
        own = next((r.value for r in tuned.curves.get(row["trial"], ()) if r.epoch == epoch), None)
        if own is not None:
            found.append((row, own))
    return found
