"""Particle swarms and differential evolution: they move towards what is good, and the same way again."""

from typing import Any

import numpy as np
import pytest
from ray import tune

from tautune.runners.searches import make_search
from tautune.search_spaces.space import Space, When, active
from tautune.trainables.goal import ACCURACY, Goal

BOWL: Space = {
    "learning_rate": tune.loguniform(1e-4, 1.0),
    "momentum": tune.uniform(0.0, 0.9),
    "layers": tune.choice([1, 2]),
    "units": tune.randint(1, 33),
    "units_2": When("layers", (2,), tune.quniform(8.0, 64.0, 8.0)),
    "only": tune.choice(["adam"]),
    "one": tune.randint(3, 4),
    "delay": 2,
}
GOAL = Goal("loss", "min")


def loss(config: dict[str, Any]) -> float:
    """A bowl whose lowest point is at a learning rate of 0.01, a momentum of 0.3 and 20 units."""
    rate, momentum, units = np.log10(config["learning_rate"]), config["momentum"], config["units"]
    return float((rate + 2) ** 2 + 4 * (momentum - 0.3) ** 2 + ((units - 20) / 16) ** 2)


def try_some(search: Any, trials: int, sign: float = 1.0) -> list[dict[str, Any]]:
    tried = []
    for trial in map(str, range(trials)):
        config = active(BOWL, search.suggest(trial))
        tried.append(config)
        name = search.metric
        search.on_trial_complete(trial, {name: sign * loss(config)})
    return tried


@pytest.mark.parametrize("name", ["pso", "de"])
def test_it_moves_to_what_is_good_whichever_way_the_metric_goes(name: str) -> None:
    drawn = try_some(make_search("random", BOWL, GOAL, seed=0), 80)
    chance = np.median([loss(config) for config in drawn])
    for seed, (goal, sign) in enumerate(((GOAL, 1.0), (ACCURACY, -1.0))):
        tried = try_some(make_search(name, BOWL, goal, seed=seed, trials=80), 80, sign)
        assert np.median([loss(config) for config in tried[-20:]]) < chance / 3


@pytest.mark.parametrize("name", ["pso", "de"])
def test_the_same_seed_suggests_the_same_and_a_configuration_has_what_exists_in_it(name: str) -> None:
    once, again, other = (try_some(make_search(name, BOWL, GOAL, seed=seed), 30) for seed in (1, 1, 2))
    assert once == again != other
    for config in once:
        assert ("units_2" in config) == (config["layers"] == 2)
        assert (config["only"], config["one"], config["delay"]) == ("adam", 3, 2)
        assert config.get("units_2", 8.0) % 8 == 0
    assert {config["layers"] for config in once} == {1, 2}


@pytest.mark.parametrize("name", ["pso", "de"])
def test_the_first_ones_are_spread_over_a_log_scale(name: str) -> None:
    search = make_search(name, BOWL, GOAL, seed=0, trials=240)
    rates = np.log10([search.suggest(str(number))["learning_rate"] for number in range(30)])
    assert set(np.floor(rates)) == {-4, -3, -2, -1}


def test_a_trial_that_ray_lost_is_left_out_and_the_search_goes_on() -> None:
    search = make_search("pso", BOWL, GOAL, seed=0)
    for trial in map(str, range(12)):
        search.suggest(trial)
        search.on_trial_complete(trial, None, error=True)
    assert len(try_some(search, 12)) == 12
