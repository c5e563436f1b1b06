"""The Pareto front of a tuning with several goals."""

from __future__ import annotations

from tautune.analysis.pages.page import Chart, Table
from tautune.analysis.pareto_figure import axis_of, pareto_figure
from tautune.analysis.reports.parts.tuned import Tuned, keys
from tautune.trainables.goal import in_words


def on_the_front(tuned: Tuned) -> str:
    """Returns a sentence about the Pareto front, where there are several goals: what is best is so by the first."""
    number = sum(bool(row.get("on_front")) for row in tuned.rows)
    if not tuned.goal.others or not number:
        return ""
    others = " and ".join(in_words(name) for name in dict(tuned.goal.others))
    many = "One trial is" if number == 1 else f"{number:,} trials are"
    return f" {many} on the Pareto front of {tuned.goal.words} and {others}."


def pareto_front(tuned: Tuned) -> Chart | None:
    """Returns the first goal over the others, with the front marked; None where there is one goal."""
    goal = tuned.goal
    if not goal.others or not any("on_front" in row for row in tuned.good):
        return None
    judged = [row for row in tuned.good if "on_front" in row]
    front = [row for row in judged if row["on_front"]]
    names = [goal.metric, *dict(goal.others)]
    return Chart(
        name="pareto-front",
        title="Pareto front",
        says="No trial is better than one on the front in one goal without being worse in another. Those on the front "
        f"have their numbers beside them, where there is room.{tuned.beyond_of(*axis_of(judged, goal))}",
        figure=pareto_figure(judged, goal),
        table=Table(
            columns=("trial", *names),
            rows=[(tuned.names[row["trial"]], *(row[name] for name in names)) for row in front],
            trials=keys(front),
        ),
    )
