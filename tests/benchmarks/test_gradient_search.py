"""What the benchmark of searches by gradients counts."""

from typing import Any, cast

import pytest

from benchmarks.gradient_search import Counted, summed_up
from tautune.runners.slope import Slopes
from tautune.trainables.supervised.hypergradient import Hypergradient


def test_a_training_costs_one_and_differentiated_three_but_its_loss_is_known_after_one() -> None:
    def told(config: dict[str, Any], *, below: float) -> Hypergradient:
        return Hypergradient(config["loss"], {"l2": 1.0} if config["loss"] < below else {})

    counted = Counted(cast("Slopes", told))
    for loss, below in ((3.0, 9.0), (2.0, 3.0), (5.0, 2.0), (1.0, 2.0)):
        counted({"loss": loss}, below=below)
    assert (counted.losses, counted.known, counted.cost) == ([3, 2, 5, 1], [1, 4, 7, 8], 10)
    assert [counted.until(goal) for goal in (2.0, 1.0, 0.5)] == [4, 8, None]
    assert [counted.best_after(cost) for cost in (1, 7, 8)] == [3, 2, 1]


def test_a_search_that_mostly_never_reaches_the_goal_has_no_median_cost() -> None:
    def run(cost: int | None, best: float) -> dict[str, Any]:
        per_search = dict.fromkeys(("random", "hyperopt", "gradient"), best)
        costs = dict.fromkeys(per_search, cost)
        return {"best_of_random": 2.0, "cost": costs, "best_after_a_quarter": per_search, "best_after_all": per_search}

    found = summed_up([run(16, 2.0), run(None, 2.2), run(None, 3.0)])["gradient"]
    assert (found["within_a_quarter"], found["median_cost"]) == (1, None)
    assert found["median_ratio_after_a_quarter"] == pytest.approx(1.1)
    assert summed_up([run(16, 2.0), run(17, 1.0), run(None, 3.0)])["random"]["median_cost"] == 17
