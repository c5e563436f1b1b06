"""Spaces as nested dictionaries, as Ray Tune's own examples have them: flat names everywhere but in the user's loop."""

from typing import Any

import pytest
from ray import tune

from tautune import LoopStudy
from tautune.runners.searches import make_search
from tautune.runners.tuning_checks import Options
from tautune.runners.tuning_job import make_tuning
from tautune.search_spaces.nested import flat, flattened, nested
from tautune.search_spaces.space import When

SPACE: dict[str, Any] = {
    "optimizer": {
        "lr": tune.loguniform(1e-4, 1e-1),
        "kind": tune.choice(["sgd", "adam"]),
        "beta": When("optimizer/kind", ("adam",), tune.uniform(0.8, 0.99)),
    },
    "model": {"hidden": {"width": tune.choice([8, 16]), "depth": 2}, "shape": tune.choice([{"a": 1}, {"a": 2}])},
    "seed": 1,
}
NAMES = ["optimizer/lr", "optimizer/kind", "optimizer/beta", "model/hidden/width", "model/hidden/depth", "model/shape"]


def loop(config: dict[str, Any]) -> None:
    tune.report({"loss": config["optimizer"]["lr"]})


STUDY = LoopStudy(name="nest", description="", train=loop, space=SPACE, metric="loss", mode="min", scheduler="none")


def test_a_space_has_flat_names_and_a_loop_gets_what_it_wrote() -> None:
    assert list(STUDY.space) == [*NAMES, "seed"]
    config = {"optimizer/lr": 0.1, "model/hidden/width": 8, "model/shape": {"a": 1}, "seed": 1}
    inside = {"optimizer": {"lr": 0.1}, "model": {"hidden": {"width": 8}, "shape": {"a": 1}}, "seed": 1}
    assert STUDY.arguments(config) == inside
    assert STUDY.flat(inside) == STUDY.flat(config) == config


@pytest.mark.parametrize("search", ["random", "hyperopt", "optuna-tpe", "pso"])
def test_every_search_draws_from_it(search: str) -> None:
    points = make_tuning(STUDY, Options(points_to_evaluate=({"optimizer": {"lr": 0.01}},))).points
    found = make_search(search, STUDY.space, STUDY.goal, seed=0, points=points)
    kinds = set()
    for number in range(8):
        config = STUDY.hyperparameters(found.suggest(str(number)))
        assert set(NAMES) - {"optimizer/beta"} <= set(config)
        inside = STUDY.arguments(config)
        assert ("beta" in inside["optimizer"]) == (inside["optimizer"]["kind"] == "adam")
        assert inside["model"]["shape"] in ({"a": 1}, {"a": 2})
        assert inside["model"]["hidden"]["depth"] == 2
        kinds.add(inside["optimizer"]["kind"])
        found.on_trial_complete(str(number), {"loss": 1.0, "training_iteration": 1})
    assert kinds == {"sgd", "adam"}


def test_points_and_fixed_values_are_nested_or_flat() -> None:
    tuning = make_tuning(
        STUDY,
        Options(
            fixed={"optimizer/kind": "sgd"}, points_to_evaluate=({"optimizer": {"lr": 0.01}}, {"optimizer/lr": 0.02})
        ),
    )
    assert [point["optimizer/lr"] for point in tuning.points] == [0.01, 0.02]
    assert all(point["optimizer/kind"] == "sgd" for point in tuning.points)
    assert tuning.study.arguments(tuning.points[0])["optimizer"] == {"lr": 0.01, "kind": "sgd"}  # type: ignore[union-attr]


def test_a_name_with_a_slash_that_is_not_nested_stays_as_it_is() -> None:
    space, paths = flattened({"a/b": 1, "c": {"d": 2}})
    assert space == {"a/b": 1, "c/d": 2}
    assert nested({"a/b": 1, "c/d": 2}, paths) == {"a/b": 1, "c": {"d": 2}}
    assert flat({"a": {"b": 1}, "c/d": 2}, space) == {"a/b": 1, "c/d": 2}  # as Ray's searches make it


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"a": {1: 2}}, "a hyperparameter's name must be text, not 1 in a"),
        ({"a/b": 1, "a": {"b": 2}}, "the space has two hyperparameters a/b: one of them is nested"),
        ({"a": {"b": tune.grid_search([1, 2])}}, "a/b must be a range, a choice or a value, .* give tune.choice"),
        ({"a": {"b": tune.sample_from(lambda spec: 1)}}, "a/b must be a range, a choice or a value"),
    ],
)
def test_what_cannot_be_nested_is_named(space: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LoopStudy(name="nest", description="", train=loop, space=space, metric="loss", mode="min")
