"""What a scheduler leaves to the search."""

import pytest
from ray import tune

from tautune.runners.methods import EARLY
from tautune.runners.schedulers import at_full_length
from tautune.search_spaces.mnist_cnn_grid import SPACE
from tautune.search_spaces.space import Space, When


@pytest.mark.parametrize("scheduler", EARLY)
def test_how_long_a_trial_trains_is_the_schedulers_to_decide(scheduler: str) -> None:
    assert at_full_length(SPACE, "hyperopt", scheduler) == SPACE | {"epochs": 20}
    assert at_full_length(SPACE | {"epochs": tune.randint(5, 21)}, "random", scheduler)["epochs"] == 20


@pytest.mark.parametrize(
    ("search", "scheduler", "more"),
    [
        ("hyperopt", "none", {}),
        ("random", "pbt", {}),
        ("grid", "asha", {}),
        ("hyperopt", "asha", {"epochs": 5}),
        ("hyperopt", "asha", {"schedule": "cosine"}),
        ("hyperopt", "asha", {"schedule": tune.choice(["constant", "cosine"])}),
        ("hyperopt", "asha", {"warmup": 0.1}),
        ("hyperopt", "asha", {"dropout": When("epochs", (20,), tune.uniform(0, 0.5))}),
    ],
)
def test_epochs_are_searched_where_they_are_more_than_a_length(search: str, scheduler: str, more: Space) -> None:
    space = SPACE | more
    assert at_full_length(space, search, scheduler) == space
