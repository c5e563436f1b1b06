"""The Pareto front of several goals."""

from collections.abc import Sequence
from typing import Any

from tautune.trainables.goal import Goal

Row = dict[str, Any]


def pareto_front(rows: Sequence[Row], goal: Goal) -> list[Row]:
    """Returns the rows that no other one dominates: is as good in every goal, and better in one. The best come first.

    Of rows that are equal in every goal, all are on the front or none.
    """
    front: list[Row] = []
    for row in sorted(rows, key=goal.costs):  # what comes later dominates nothing before it
        if not any(_dominates(goal.costs(other), goal.costs(row)) for other in front):
            front.append(row)
    return front


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
