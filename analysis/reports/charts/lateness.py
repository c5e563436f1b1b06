"""How late gradients were, where that is no fixed number: the share of each delay, as it was drawn or recorded."""

from __future__ import annotations

from collections import Counter

from matplotlib.ticker import MaxNLocator

from tautune.analysis.figure_style import BLUE, label_ends, mark_trials, new_figure, split, styled
from tautune.analysis.pages.page import Chart, Table
from tautune.analysis.reports.parts.tuned import Json, Tuned
from tautune.analysis.thresholds import Thresholds
from tautune.analysis.trial_names import numbered
from tautune.records.delay_trace import read_delays
from tautune.records.errors import InputError

Shares = dict[int, float]
"""Delay in steps → its share of all gradients, in percent."""
TITLE = "How late gradients were"


@styled
def lateness(thresholds: Thresholds) -> Chart | None:
    """Returns the delays that a sweep drew, or that its workers had; None where the delay is a fixed one."""
    if not thresholds.update or not thresholds.update.drawn:
        return None
    shares = {delay: 100 * share for delay, share in sorted(thresholds.update.drawn)}
    figure = new_figure(height=2.8)
    axes = figure.subplots()
    axes.bar(list(shares), list(shares.values()), color=BLUE, width=0.6)
    axes.grid(visible=False, axis="x")
    axes.set(xlabel="delay τ, steps", ylabel="share, %")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    how = "Ages that the workers' gradients had" if thresholds.update.workers else "Delays that were drawn at each step"
    mean = sum(delay * share for delay, share in shares.items()) / 100
    table = Table(columns=("delay τ", "share, %"), rows=list(shares.items()))
    return Chart(name="lateness", title=TITLE, says=f"{how}: {mean:.3g} on average.", figure=figure, table=table)


@styled
def lateness_of_trials(tuned: Tuned) -> Chart | None:
    """Returns the ages of the best trials' gradients, those of workers or stages; None if no folder tells of them."""
    found = {row["trial"]: (row, shares) for row in tuned.best if (shares := _recorded(tuned, row))}
    if not found:
        return None
    figure = new_figure(height=3.0)
    axes = figure.subplots()
    ends, colours = [], []
    for row, shares in found.values():
        colour, marker = tuned.style(row)
        axes.plot(*split(shares.items()), color=colour)
        points = axes.scatter(*split(shares.items()), color=colour, marker=marker, s=22, zorder=3)
        mark_trials(points, [row["trial"]] * len(shares))
        ends.append((*max(shares.items()), tuned.names[row["trial"]].split()[0]))
        colours.append(colour)
    axes.margins(y=0.1)
    axes.set(xlabel="age of a gradient, steps", ylabel="share, %", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    label_ends(axes, ends, colours)
    told = [(key, age, share) for key, (_, shares) in found.items() for age, share in shares.items()]
    rows = [(tuned.names[key], age, share) for key, age, share in told]
    return Chart(
        name="lateness",
        title=TITLE,
        says="The age of a gradient is the number of updates since the weights that it was computed at. The figure has "
        f"the best {len(found)} trials; `delays.csv` in each trial's folder has every gradient.",
        figure=figure,
        table=Table(columns=("trial", "age", "share, %"), rows=rows, trials=[key for key, _, _ in told]),
    )


def _recorded(tuned: Tuned, row: Json) -> Shares:
    """Returns what a trial's delays.csv says; nothing where there is none, or it is damaged, which is noted."""
    if not any(tuned.configuration.get(them) for them in ("workers", "stages")) or not row.get("number"):
        return {}
    file = tuned.folder / str(row.get("experiment", "trials")) / numbered(row["number"]) / "delays.csv"
    if not file.is_file():
        return {}
    try:
        ages = Counter(read_delays(file))
    except InputError as error:
        tuned.history.damaged.append(f"Left out: {error}")
        return {}
    return {age: 100 * ages[age] / ages.total() for age in sorted(ages)}
