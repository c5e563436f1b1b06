"""Conditions, in the form of every search."""

import random
from typing import Any

import numpy as np
import pytest
from ray import tune

from tautune.runners.searches import OptunaSpace, hyperopt_space, make_search
from tautune.search_spaces.space import Space, When, active, combinations

SPACE: Space = {
    "layers": tune.choice([1, 2, 3]),
    "units_1": tune.choice([8, 16]),
    "units_2": When("layers", (2, 3), tune.choice([8, 16])),
    "units_3": When("layers", (3,), tune.randint(4, 9)),
    "optimizer": tune.choice(["adam", "sgd"]),
    "nesterov": When("optimizer", ("sgd",), tune.choice([False, True])),
    "momentum": When("nesterov", (True,), tune.uniform(0.5, 0.9)),
    "learning_rate": tune.loguniform(1e-3, 1e-1),
    "batch_size": 32,
}


def is_right(config: dict[str, Any]) -> bool:
    return (
        ("units_2" in config) == (config["layers"] >= 2)
        and ("units_3" in config) == (config["layers"] == 3)
        and ("nesterov" in config) == (config["optimizer"] == "sgd")
        and ("momentum" in config) == (config.get("nesterov") is True)
        and type(config.get("units_3", 4)) is int
        and 4 <= config.get("units_3", 4) < 9
        and 1e-3 <= config["learning_rate"] <= 1e-1
        and config["batch_size"] == 32
    )


@pytest.mark.parametrize("search", ["hyperopt", "optuna-tpe"])
def test_a_search_draws_only_what_exists_and_learns_from_it(search: str) -> None:
    searcher, rest = make_search(search, SPACE, seed=0)
    assert rest == {}
    seen = []
    for number in range(100):
        config = active(SPACE, searcher.suggest(str(number)))
        assert is_right(config)
        seen.append(config)
        searcher.on_trial_complete(str(number), {"validation_accuracy": config["layers"] / 3, "training_iteration": 1})
    assert {config["layers"] for config in seen[:20]} == {1, 2, 3}
    assert sum(config["layers"] == 3 for config in seen[50:]) > 25  # what was rewarded: a third by chance


def test_random_draws_are_cut_to_what_exists() -> None:
    _, flat = make_search("random", SPACE, seed=0)
    random.seed(0)
    np.random.seed(0)
    for _ in range(50):
        drawn = {name: d.sample() if hasattr(d, "sample") else d for name, d in flat.items()}
        assert is_right(active(SPACE, drawn))


def test_a_grid_has_every_configuration_once() -> None:
    space: Space = {"a": tune.choice([1, 2]), "b": When("a", (2,), tune.choice("xyz")), "c": 0}
    assert combinations(space) == [
        {"a": 1, "c": 0},
        {"a": 2, "b": "x", "c": 0},
        {"a": 2, "b": "y", "c": 0},
        {"a": 2, "b": "z", "c": 0},
    ]


def test_the_trees_share_a_hyperparameter_between_branches() -> None:
    """HyperOpt refuses two hyperparameters of one name; OptunaSpace is pickled with Tune's experiment."""
    import pickle

    assert set(hyperopt_space(SPACE)) == {"layers", "units_1", "optimizer", "learning_rate", "batch_size"}
    assert pickle.loads(pickle.dumps(OptunaSpace(SPACE))).space.keys() == SPACE.keys()


@pytest.mark.parametrize("search", ["grid", "random", "hyperopt", "optuna-tpe"])
def test_a_fixed_hyperparameter_settles_what_depends_on_it(search: str) -> None:
    choices = {name: entry for name, entry in SPACE.items() if name not in ("units_3", "momentum", "learning_rate")}
    space = choices | {"layers": 2, "optimizer": "adam"}
    searcher, rest = make_search(search, space, seed=0)
    if search == "grid":
        drawn = rest["combination"]["grid_search"]
    elif search == "random":
        drawn = [{name: d.sample() if hasattr(d, "sample") else d for name, d in rest.items()} for _ in range(5)]
    else:
        drawn = [searcher.suggest(str(number)) for number in range(5)]
    for config in drawn:
        assert set(active(space, config)) == {"layers", "units_1", "units_2", "optimizer", "batch_size"}


def test_a_choice_of_dicts_is_a_value() -> None:
    space: Space = {"blocks": tune.choice([{"width": 1}, {"width": 2}]), "learning_rate": 0.1}
    searcher, _ = make_search("hyperopt", space, seed=0)
    for config in (searcher.suggest("0"), {"combination": {"blocks": {"width": 1}, "learning_rate": 0.1}}):
        assert active(space, config)["blocks"] in ({"width": 1}, {"width": 2})
