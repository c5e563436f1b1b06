"""Points to start from: mapped by name, told where they do not fit, and tried first by every search."""

import json
from pathlib import Path
from typing import Any

import pytest
from ray import tune

from tautune import LoopStudy, TuningStudy
from tautune.commands.submitted import with_points
from tautune.records.errors import InputError
from tautune.runners import hyperopt_internals
from tautune.runners.earlier_run import points_of
from tautune.runners.searches import make_search
from tautune.runners.starting_points import fitted
from tautune.runners.suggestions import are_alike, plain
from tautune.runners.tuning_checks import Options
from tautune.runners.tuning_job import make_tuning, tuning_of
from tautune.search_spaces.space import Space, When, active
from tautune.trainables.goal import ACCURACY
from tests.records.test_run_folder import TUNING
from tests.runners.test_trials import begin, result

SPACE: Space = {
    "learning_rate": tune.loguniform(1e-4, 1.0),
    "momentum": tune.uniform(0.0, 0.9),
    "layers": tune.choice([1, 2]),
    "units": tune.choice([(8, 8), (16, 8)]),
    "width": tune.qrandint(8, 64, 8),
    "depth": When("layers", (2,), tune.randint(1, 5)),
    "optimizer": "sgd",
}
WHOLE = {"learning_rate": 0.1, "momentum": 0.5, "layers": 1, "units": [16, 8], "width": 16, "optimizer": "sgd"}
DEEP = WHOLE | {"layers": 2, "depth": 3, "learning_rate": 1.0}


@pytest.mark.parametrize("search", ["random", "hyperopt", "optuna-tpe", "gp", "cmaes", "pso", "de"])
def test_every_search_tries_them_first_and_in_order_and_then_learns_from_them(search: str) -> None:
    points, misfits = fitted(SPACE, [WHOLE, DEEP], seed=0)
    assert not misfits
    searcher = make_search(search, SPACE, ACCURACY, seed=0, points=points)
    tried = []
    for trial in map(str, range(12)):
        config = active(SPACE, searcher.suggest(trial))
        tried.append(config)
        searcher.on_trial_result(trial, {"validation_accuracy": config["momentum"], "training_iteration": 1})
        searcher.on_trial_complete(trial, {"validation_accuracy": config["momentum"], "training_iteration": 1})
    assert are_alike(plain(tried[:2]), plain([WHOLE, DEEP]))
    assert tried[0]["units"] == tried[1]["units"] == (16, 8)
    assert len({repr(config) for config in tried}) == 12


def test_what_does_not_fit_is_told_and_left_out_and_what_is_missing_is_drawn() -> None:
    strange = {"learning_rate": 5.0, "momentum": 0.5, "layers": 3, "units": [8], "dropout": 0.1, "optimizer": "adam"}
    points, misfits = fitted(SPACE, [strange, WHOLE], seed=0)
    assert points[0]["momentum"] == 0.5
    assert 1e-4 <= points[0]["learning_rate"] <= 1
    assert points[0]["optimizer"] == "sgd"
    assert points[1] == WHOLE
    assert {line.partition(";")[0] for line in misfits} >= {
        "learning_rate = 5.0 is outside of 0.0001 to 1.0",
        "layers = 3 is none of its choices",
        "units = [8] is none of its choices",
        "dropout is not in the space",
        "optimizer is fixed to sgd",
        "width is missing",
    }
    assert all(line.endswith("(1 of 2)") for line in misfits)
    assert fitted(SPACE, [strange, WHOLE], seed=0) == (points, misfits)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**400, "1", None, True])
def test_no_point_has_a_number_that_is_none(value: Any) -> None:
    space: Space = {"rate": tune.randn(0, 1), "momentum": tune.uniform(0, 0.9)}
    (point,), (reason, _) = fitted(space, [{"rate": value, "momentum": 0.5}], seed=0)
    assert abs(point["rate"]) < 10
    assert "rate = " in reason


@pytest.mark.parametrize("value", [3.5, True, "3", None, 0, 9])
def test_an_integer_is_a_whole_number_within_its_bounds(value: Any) -> None:
    (point,), misfits = fitted(SPACE, [DEEP | {"depth": value}], seed=0)
    assert point["depth"] in (1, 2, 3, 4)
    assert "left out" in misfits[0]


def test_the_same_point_is_tried_once_and_one_of_which_nothing_fits_never() -> None:
    points, misfits = fitted(SPACE, [WHOLE, dict(reversed(WHOLE.items())), {"optimizer": "sgd"}], seed=0)
    assert points == [WHOLE]
    assert misfits == ["nothing else of it fits; left out (1 of 3)"]


def earlier(folder: Path) -> Path:
    folder.mkdir()
    run = {"configuration": TUNING, "runs": [{"experiment": "trials", "trials": 3}]}
    (folder / "run.json").write_text(json.dumps(run))
    trials = begin(folder)
    for number, (accuracy, diverged) in enumerate([(0.8, 0), (0.9, 0), (0.0, 1)], start=1):
        config = {"momentum": number / 10}
        trials.report(f"{number}", number, config, result(accuracy, 0.1, 1, diverged=diverged))
    trials.write()
    return folder


def test_an_earlier_run_gives_its_best_or_all_that_did_not_diverge(tmp_path: Path) -> None:
    folder = str(earlier(tmp_path / "out"))
    assert points_of(folder) == ({"momentum": 0.2},)
    assert points_of(folder, "all") == ({"momentum": 0.2}, {"momentum": 0.1})
    with pytest.raises(InputError, match="start_points 'bets' is unknown; did you mean best"):
        points_of(folder, "bets")
    (tmp_path / "out" / "trials.jsonl").unlink()
    with pytest.raises(InputError, match="has no trial to start from"):
        points_of(folder)


def test_a_job_on_a_cluster_takes_the_configurations_themselves_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier(tmp_path / "out")
    sent = with_points(["tune", "digits_mlp", "--start-from", "out", "--start-points=all", "--trials", "3"], tmp_path)
    points = ["--point", '{"momentum": 0.2}', "--point", '{"momentum": 0.1}']
    assert sent == ["tune", "digits_mlp", "--trials", "3", *points]
    for elsewhere in (["tune", "digits_mlp", "--start-from", "first"], ["sweep", "digits"]):
        assert with_points(elsewhere, tmp_path) == elsewhere
    monkeypatch.setattr("tautune.commands.submitted.LONGEST", 30)
    with pytest.raises(InputError, match="the 2 configurations of out are too many to send; give best"):
        with_points(["tune", "digits_mlp", "--start-from", "out", "--start-points", "all"], tmp_path)


def studies(**options: Any) -> list[TuningStudy | LoopStudy]:
    tuning = {"data": "digits", "model": lambda shape, classes, *, layers, units, width, depth=1: None}
    loop = {"train": lambda config: {}, "metric": "loss", "mode": "min"}
    common = {"name": "s", "description": "", "space": SPACE} | options
    return [TuningStudy(**common | tuning), LoopStudy(**common | loop)]


@pytest.mark.parametrize("kind", [0, 1])
def test_a_study_has_points_of_its_own_and_a_resumed_run_has_the_same(kind: int, tmp_path: Path) -> None:
    study = studies(points_to_evaluate=[WHOLE])[kind]
    tuning = make_tuning(study, Options(points_to_evaluate=({"momentum": 0.25},), search="random", scheduler="none"))
    assert [point["momentum"] for point in tuning.points] == [0.25, 0.5]
    kept = json.loads(json.dumps({"configuration": tuning.configuration()}))
    assert tuning_of(kept, tmp_path, study).points == tuning.points
    del kept["configuration"]["points"]  # as an earlier version wrote it
    assert tuning_of(kept, tmp_path, study).points == ()
    with pytest.raises(InputError, match="none of the points to start from fits into the space of s: momentum = 7"):
        make_tuning(studies()[kind], Options(points_to_evaluate=({"momentum": 7},)))
    with pytest.raises(ValueError, match="points_to_evaluate: hyperparameter 'momentun' is unknown; did you mean"):
        studies(points_to_evaluate=[{"momentun": 0.5}])
    with pytest.raises(ValueError, match="points_to_evaluate must be a list of configurations"):
        studies(points_to_evaluate={"momentum": 0.5})


def test_a_grid_takes_none() -> None:
    choices: Space = {"learning_rate": tune.choice([0.1, 0.2])}
    study = TuningStudy(name="s", description="", data="digits", model="mlp", space=choices)
    with pytest.raises(InputError, match="it takes no points to start from"):
        make_tuning(study, Options(search="grid", points_to_evaluate=({"learning_rate": 0.1},)))


def test_where_ray_keeps_its_points_elsewhere_that_is_said_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hyperopt_internals, "_said", set())
    assert not hyperopt_internals.complete_points(object())
    assert not hyperopt_internals.complete_points(object())
    assert len(caplog.records) == 1
