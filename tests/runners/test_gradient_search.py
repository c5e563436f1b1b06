"""A search by hypergradients: the scales, the descents, what is refused, and a whole tuning."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ray import tune

from tautune.records.errors import InputError
from tautune.runners.gradient_search import GradientSearch, Scale
from tautune.runners.slope import make_slope
from tautune.runners.tuning_checks import Options
from tautune.runners.tuning_data import load_data, make_splits
from tautune.runners.tuning_job import make_tuning
from tautune.search_spaces.tuning_study import TuningStudy
from tests.runners.tunings import run

SPACE: dict[str, Any] = {
    "learning_rate": tune.loguniform(1e-3, 1.0),
    "momentum": tune.uniform(0.5, 0.99),
    "l2": tune.uniform(0.0, 0.1),
    "optimizer": "nesterov",
    "units": 8,
}
SMALL = TuningStudy(name="small", description="", data="digits", model="mlp", space=SPACE, search="gradient")


@dataclass(frozen=True)
class Bowl:
    """(log η − log 0.1)² + (log(1−m) − log 0.1)² + (10 l2 − 0.3)², with its derivatives."""

    loss: float
    gradient: dict[str, float]


def bowl(config: dict[str, Any]) -> Bowl:
    import math

    η, m, l2 = config["learning_rate"], config["momentum"], config["l2"]
    apart = math.log(η / 0.1), math.log((1 - m) / 0.1), 10 * l2 - 0.3
    slopes = {"learning_rate": 2 * apart[0] / η, "momentum": -2 * apart[1] / (1 - m), "l2": 20 * apart[2]}
    return Bowl(sum(a * a for a in apart), slopes)


@pytest.mark.parametrize("name", ["learning_rate", "momentum", "l2"])
def test_a_scale_maps_a_range_to_the_unit_interval_and_back(name: str) -> None:
    scale = Scale(name, SPACE[name])
    assert scale.value(0) == pytest.approx(SPACE[name].lower)
    assert scale.value(1) == pytest.approx(SPACE[name].upper)
    for place in (0.1, 0.5, 0.9):
        assert scale.place(scale.value(place)) == pytest.approx(place)
        difference = (scale.value(place + 1e-6) - scale.value(place - 1e-6)) / 2e-6
        assert scale.slope(place) == pytest.approx(difference, rel=1e-6)


def test_the_middle_of_a_momentum_is_that_of_its_distance_from_one() -> None:
    assert Scale("momentum", SPACE["momentum"]).value(0.5) == pytest.approx(1 - (0.5 * 0.01) ** 0.5)


@pytest.mark.parametrize("seed", [0, 1])
def test_every_start_goes_down_to_the_minimum(seed: int) -> None:
    search = GradientSearch(SPACE, bowl, seed=seed, trials=160)
    assert len(search.starts) == 4
    suggested = [search.suggest(str(number)) for number in range(160)]
    assert suggested[0]["learning_rate"] == pytest.approx(10**-1.5)
    assert all(config["units"] == 8 and config["optimizer"] == "nesterov" for config in suggested)
    for last in suggested[-4:]:
        assert bowl(last).loss < 0.02
    assert suggested == [GradientSearch(SPACE, bowl, seed=seed, trials=160).suggest("0"), *suggested[1:]]


def test_points_are_where_the_first_starts_begin() -> None:
    search = GradientSearch(SPACE, bowl, seed=0, trials=16, points=[{"learning_rate": 0.5, "l2": 0.025}])
    first = search.suggest("0")
    assert (first["learning_rate"], first["l2"]) == (pytest.approx(0.5), pytest.approx(0.025))


def test_where_training_diverged_the_learning_rate_falls() -> None:
    search = GradientSearch(SPACE, lambda config: Bowl(float("inf"), {}), seed=0, trials=4)
    rates = [search.suggest(str(number))["learning_rate"] for number in range(3)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > rates[-1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"batch_size": tune.choice([32, 64])},
            "differentiates by learning_rate, momentum, l1 and l2, not by batch_size",
        ),
        ({"learning_rate": tune.choice([0.1, 0.2])}, "needs ranges, and learning_rate is a choice; fix its value"),
        ({"l2": tune.quniform(0, 1, 0.1)}, "l2 must be a range without steps"),
        ({"optimizer": "adam"}, "needs optimizer sgd or momentum or nesterov, and it is adam"),
        (
            {"optimizer": tune.choice(["sgd", "adam"])},
            "needs optimizer sgd or momentum or nesterov, and it is searched",
        ),
        ({"precision": "bfloat16"}, "needs precision float32, and it is bfloat16"),
        ({"learning_rate": 0.1, "momentum": 0.9, "l2": 0.0}, "needs a range of learning_rate, momentum, l1 and l2"),
    ],
)
def test_what_cannot_be_differentiated_is_told_in_one_line(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)) as told:
        make_tuning(replace(SMALL, space=SPACE | changes), Options())
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("changes", "epochs", "words"),
    [
        ({"batch_norm": True}, 1, "search gradient cannot differentiate the batch normalization of small"),
        ({"units": 512}, 200, "steps of a training of small, which take"),
    ],
)
def test_a_model_that_cannot_be_differentiated_is_told_before_ray_starts(
    changes: dict[str, Any], epochs: int, words: str
) -> None:
    tuning = make_tuning(replace(SMALL, space=SPACE | changes), Options(max_epochs=epochs))
    data = load_data(SMALL, None)
    with pytest.raises(InputError, match=re.escape(words)):
        make_slope(tuning, data, make_splits(tuning, data))


@pytest.mark.ray
def test_a_tuning_goes_down_the_slope_of_its_own_validation_loss(local_ray: None, tmp_path: Path) -> None:
    best, _ = run(SMALL, "gradient", "none", tmp_path / "out", max_epochs=1, trials=3)
    assert best["config"].keys() == SPACE.keys()
    tuning = make_tuning(SMALL, Options(max_epochs=1, trials=3))
    data = load_data(SMALL, None)
    slope = make_slope(tuning, data, make_splits(tuning, data))
    assert slope is not None
    assert slope(best["config"]).loss == pytest.approx(best["validation_loss"], rel=1e-4)
