"""A search by hypergradients: the scales, the descents, what is refused, and a whole tuning."""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from ray import tune
from scipy.stats import kstest

from tautune.records.errors import InputError
from tautune.runners.gradient_search import GradientSearch, Scale, Slope
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


def bowl(config: dict[str, Any], *, below: float = math.inf) -> Bowl:
    η, m, l2 = config["learning_rate"], config["momentum"], config["l2"]
    apart = math.log(η / 0.1), math.log((1 - m) / 0.1), 10 * l2 - 0.3
    slopes = {"learning_rate": 2 * apart[0] / η, "momentum": -2 * apart[1] / (1 - m), "l2": 20 * apart[2]}
    loss = sum(a * a for a in apart)
    return Bowl(loss, slopes if loss < below else {})


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


@pytest.mark.parametrize("name", ["learning_rate", "momentum", "l2"])
def test_a_start_is_drawn_as_random_search_draws(name: str) -> None:
    scale, draw = Scale(name, SPACE[name]), torch.Generator().manual_seed(0)
    ours = [scale.value(scale.drawn(float(share))) for share in torch.rand(2000, generator=draw)]
    theirs = SPACE[name].sample(size=2000)
    assert kstest(ours, theirs).pvalue > 0.01


@pytest.mark.parametrize("shift", [0.0, -5.0])
def test_a_start_goes_down_to_the_minimum_and_then_another_begins(shift: float) -> None:
    """Wherever it lies: a loss may be below 0."""

    def moved(config: dict[str, Any], *, below: float = math.inf) -> Bowl:
        found = bowl(config, below=below - shift)
        return Bowl(found.loss + shift, found.gradient)

    search = GradientSearch(SPACE, moved, seed=0)
    suggested = [search.suggest(str(number)) for number in range(40)]
    assert suggested[0]["learning_rate"] == pytest.approx(10**-1.5)
    assert suggested[0]["momentum"] == pytest.approx((0.5 + 0.99) / 2)
    assert all(config["units"] == 8 and config["optimizer"] == "nesterov" for config in suggested)
    losses = [bowl(config).loss for config in suggested]
    reached = next(number for number, loss in enumerate(losses) if loss < 0.02)
    assert reached < 20
    begins = [n for n, loss in enumerate(losses) if n > reached and loss > 10 * losses[n - 1]]
    assert begins  # another start, at a place of its own
    again = GradientSearch(SPACE, moved, seed=0)
    assert [again.suggest(str(number)) for number in range(40)] == suggested


def test_only_what_is_lower_than_before_is_differentiated() -> None:
    losses: list[tuple[float, float]] = []

    def told(config: dict[str, Any], *, below: float = math.inf) -> Bowl:
        found = bowl(config, below=below)
        losses.append((found.loss, below))
        return found

    search = GradientSearch(SPACE, told, seed=3)
    for number in range(10):
        search.suggest(str(number))
    assert losses[0][1] == math.inf
    lowest = math.inf
    for loss, below in losses:
        if below < math.inf:
            assert below == lowest
        lowest = min(loss, below)


def test_points_are_where_the_first_starts_begin() -> None:
    search = GradientSearch(SPACE, bowl, seed=0, points=[{"learning_rate": 0.5, "l2": 0.025}])
    first = search.suggest("0")
    assert (first["learning_rate"], first["l2"]) == (pytest.approx(0.5), pytest.approx(0.025))


def steep(config: dict[str, Any], *, below: float = math.inf) -> Bowl:
    return Bowl(1.0, {"learning_rate": 1e4, "momentum": 0.0, "l2": 0.0})


def diverged(config: dict[str, Any], *, below: float = math.inf) -> Bowl:
    return Bowl(math.inf, {})


@pytest.mark.parametrize("slope", [diverged, steep])
def test_where_training_diverged_or_nearly_so_the_learning_rate_falls_until_another_start(
    slope: Slope,
) -> None:
    search = GradientSearch(SPACE, slope, seed=0)
    places = [search.suggest(str(number)) for number in range(4)]
    rates = [place["learning_rate"] for place in places[:3]]
    assert rates == [pytest.approx(10**-1.5), pytest.approx(10**-2.4), pytest.approx(1e-3)]
    assert places[0]["momentum"] == places[2]["momentum"] != places[3]["momentum"]


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
