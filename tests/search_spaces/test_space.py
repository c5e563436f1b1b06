"""Conditions, in the form of every search."""

from typing import Any

import numpy as np
import pytest
from ray import tune
from ray.tune.search.sample import Float, Integer

from tautune.runners.searches import OptunaSpace, hyperopt_space, make_search
from tautune.search_spaces.space import Space, When, active, as_text, check_space, combinations, example, variants
from tautune.trainables.goal import ACCURACY

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
    searcher = make_search(search, SPACE, ACCURACY, seed=0)
    seen = []
    for number in range(100):
        config = active(SPACE, searcher.suggest(str(number)))
        assert is_right(config)
        seen.append(config)
        searcher.on_trial_complete(str(number), {"validation_accuracy": config["layers"] / 3, "training_iteration": 1})
    assert {config["layers"] for config in seen[:20]} == {1, 2, 3}
    assert sum(config["layers"] == 3 for config in seen[50:]) > 25  # what was rewarded: a third by chance


def test_random_draws_are_cut_to_what_exists() -> None:
    searcher = make_search("random", SPACE, ACCURACY, seed=0)
    for number in range(50):
        assert is_right(active(SPACE, searcher.suggest(str(number))))


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
    searcher = make_search(search, space, ACCURACY, seed=0)
    for number in range(len(combinations(space)) if search == "grid" else 5):
        config = searcher.suggest(str(number))
        assert set(active(space, config)) == {"layers", "units_1", "units_2", "optimizer", "batch_size"}


def test_a_choice_of_dicts_is_a_value() -> None:
    space: Space = {"blocks": tune.choice([{"width": 1}, {"width": 2}]), "learning_rate": 0.1}
    searcher = make_search("hyperopt", space, ACCURACY, seed=0)
    for config in (searcher.suggest("0"), {"combination": {"blocks": {"width": 1}, "learning_rate": 0.1}}):
        assert active(space, config)["blocks"] in ({"width": 1}, {"width": 2})


def test_a_value_that_is_a_dict_with_its_own_name_in_it_is_no_branch() -> None:
    space: Space = {"blocks": tune.choice([{"blocks": 3}, {"blocks": 5}]), "learning_rate": 0.1}
    assert active(space, {"blocks": {"blocks": 3}, "learning_rate": 0.1})["blocks"] == {"blocks": 3}
    assert [config["blocks"] for config in combinations(space)] == [{"blocks": 3}, {"blocks": 5}]
    space["width"] = When("blocks", ({"blocks": 5},), tune.choice([1, 2]))
    searcher = make_search("hyperopt", space, ACCURACY, seed=0)
    for number in range(10):
        config = active(space, searcher.suggest(str(number)))
        assert config["blocks"] in ({"blocks": 3}, {"blocks": 5})
        assert ("width" in config) == (config["blocks"] == {"blocks": 5})
        assert active(space, config) == config


def a_function() -> None:
    """For a choice of functions."""


class Thing:
    """For a choice of objects."""


DOMAINS = {
    "uniform": (tune.uniform(0, 1), "float Uniform {'lower': 0, 'upper': 1}"),
    "quniform": (tune.quniform(0.1, 0.9, 0.1), "float Uniform in steps of 0.1 {'lower': 0.1, 'upper': 0.9}"),
    "loguniform": (tune.loguniform(1e-3, 0.1), "float LogUniform {'lower': 0.001, 'upper': 0.1}"),
    "qloguniform": (
        tune.qloguniform(0.01, 1, 0.01),
        "float LogUniform in steps of 0.01 {'lower': 0.01, 'upper': 1}",
    ),
    "randn": (tune.randn(2, 0.5), "float Normal with mean 2 and deviation 0.5 {'lower': -inf, 'upper': inf}"),
    "qrandn": (
        tune.qrandn(2, 0.5, 0.25),
        "float Normal with mean 2 and deviation 0.5 in steps of 0.25 {'lower': -inf, 'upper': inf}",
    ),
    "randint": (tune.randint(1, 9), "integer Uniform {'lower': 1, 'upper': 9}"),
    "qrandint": (tune.qrandint(8, 64, 8), "integer Uniform in steps of 8 {'lower': 8, 'upper': 64}"),
    "lograndint": (tune.lograndint(1, 100), "integer LogUniform {'lower': 1, 'upper': 100}"),
    "qlograndint": (
        tune.qlograndint(4, 100, 4),
        "integer LogUniform in steps of 4 {'lower': 4, 'upper': 100}",
    ),
    "choice": (tune.choice([1, "a", 0.5]), "categorical Uniform {'categories': [1, 'a', 0.5]}"),
    "functions": (
        tune.choice([a_function, Thing]),
        "categorical Uniform {'categories': [<function a_function>, <class 'tests.search_spaces.test_space.Thing'>]}",
    ),
    "objects": (
        When("choice", (1,), tune.choice([Thing()])),
        "when choice in [1]: categorical Uniform {'categories': [<tests.search_spaces.test_space.Thing object>]}",
    ),
}
"""All that Ray Tune's sample API offers, with the text that a resumed run compares."""


@pytest.mark.parametrize("name", DOMAINS)
def test_a_domains_text_is_the_same_in_every_process(name: str) -> None:
    domain, text = DOMAINS[name]
    assert as_text(domain) == text
    check_space({"choice": DOMAINS["choice"][0], name: domain})


def test_fixed_values_are_as_they_come_back_from_a_file() -> None:
    assert as_text((64, 32)) == [64, 32]
    assert as_text(np.int64(3)) == 3
    assert as_text({"a": np.float32(0.5)}) == {"a": 0.5}
    assert as_text(a_function) == "<function a_function>"
    assert as_text(None) is None


def test_steps_and_integers_are_kept_whatever_a_search_makes_of_them() -> None:
    space: Space = {name: domain for name, (domain, _) in DOMAINS.items() if isinstance(domain, Float | Integer)}
    del space["randn"], space["qrandn"]
    given = dict.fromkeys(space, 0.4567)
    config = active(space, given)
    assert config["uniform"] == 0.4567
    assert config["quniform"] == pytest.approx(0.5)
    assert config["qloguniform"] == pytest.approx(0.46)
    assert (config["qrandint"], config["qlograndint"]) == (8, 4)
    assert all(type(config[name]) is int for name in ("randint", "qrandint", "lograndint", "qlograndint"))
    assert active(space, config) == config
    assert active(space, dict.fromkeys(space, 1000))["qrandint"] == 64


@pytest.mark.parametrize("search", ["random", "hyperopt"])
def test_every_domain_can_be_searched(search: str) -> None:
    space: Space = {name: domain for name, (domain, _) in DOMAINS.items() if isinstance(domain, Float | Integer)}
    searcher = make_search(search, space, ACCURACY, seed=0)
    for number in range(20):
        config = active(space, searcher.suggest(str(number)))
        assert set(config) == set(space)
        assert config["qrandint"] in range(8, 65, 8)
        assert config["qlograndint"] in range(4, 101, 4)
        assert config["qrandn"] == round(config["qrandn"] * 4) / 4


def test_an_example_is_in_the_space() -> None:
    assert is_right(example(SPACE))
    assert example({"a": tune.randn(2, 1), "b": tune.qrandint(9, 33, 8), "c": 7}) == {"a": 2.0, "b": 16, "c": 7}


def test_variants_have_each_end_of_the_named_domains_and_what_exists_only_there() -> None:
    found = variants(SPACE, ["layers", "units_3"])
    assert all(is_right(config) for config in found)
    assert [config["layers"] for config in found] == [1, 2, 3]
    assert [config for config in found if "units_3" in config] == [found[-1]]
    assert {config["optimizer"] for config in found} == {"adam"}
