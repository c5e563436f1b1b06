"""Several goals and limits: who is on the front, who is the best, and what searches make of it."""

import csv
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ray import tune

import tautune
from tautune import LoopStudy
from tautune._tuned import resume
from tautune._tuning_result import TuningResult
from tautune.analysis.pareto import pareto_front
from tautune.analysis.pareto_figure import pareto_figure
from tautune.records.errors import InputError, RunFailed
from tautune.runners import optuna_internals
from tautune.runners.searches import make_search
from tautune.runners.trials import Trials, marked
from tautune.runners.tuning_checks import Options
from tautune.runners.tuning_job import make_tuning, tuning_of
from tautune.search_spaces.space import Space, active
from tautune.trainables.goal import ACCURACY, Goal, aimed
from tests.runners.test_replay import killed
from tests.runners.test_trials import result
from tests.runners.tunings import SMALL, rows_of, run, trajectories

LOSS = Goal("loss", "min", unit="reports")
TWO = aimed(LOSS, ["loss", "size:min"], {})


def rows(*pairs: tuple[float, float], **more: Any) -> list[dict[str, Any]]:
    return [
        {"state": "finished", "loss": a, "size": b, "epochs": 1, "number": n} | more for n, (a, b) in enumerate(pairs)
    ]


def test_goals_and_directions_are_read_as_they_are_meant() -> None:
    goal = aimed(ACCURACY, ["validation_accuracy", "parameters", "training_loss:max"], {"epoch_seconds": 2.0})
    assert (goal.metric, goal.mode, goal.ties) == ("validation_accuracy", "max", ("validation_loss",))
    assert goal.others == (("parameters", "min"), ("training_loss", "max"))
    assert goal.asked == ("validation_accuracy", "parameters", "training_loss", "epoch_seconds")
    assert aimed(ACCURACY, [], {}) == ACCURACY
    assert aimed(ACCURACY, ["parameters"], {}).ties == ()
    with pytest.raises(ValueError, match="goal size must say which way is better: size:min or size:max"):
        aimed(LOSS, ["loss", "size"], {})
    with pytest.raises(ValueError, match="goal size:up must end in :min or :max, which way is better, not in :up"):
        aimed(LOSS, ["loss", "size:up"], {})
    with pytest.raises(ValueError, match="goals must be different ones"):
        aimed(LOSS, ["loss", "size:min", "size:max"], {})


@pytest.mark.parametrize("modes", [("min", "min"), ("max", "min"), ("max", "max")])
def test_the_front_is_that_of_a_comparison_of_all_with_all(modes: tuple[str, str]) -> None:
    goal = aimed(LOSS, [f"loss:{modes[0]}", f"size:{modes[1]}"], {})
    chance = random.Random(0)
    drawn = rows(*((chance.randint(0, 9), chance.randint(0, 9)) for _ in range(60)))

    def worse(one: float, other: float, mode: str) -> bool:
        return one < other if mode == "max" else one > other

    def dominated(row: dict[str, Any], by: dict[str, Any]) -> bool:
        pairs = [(row["loss"], by["loss"], modes[0]), (row["size"], by["size"], modes[1])]
        return any(worse(*pair) for pair in pairs) and not any(worse(b, a, mode) for a, b, mode in pairs)

    slow = [row for row in drawn if not any(dominated(row, other) for other in drawn)]
    assert sorted(row["number"] for row in pareto_front(drawn, goal)) == [row["number"] for row in slow]
    assert [row["number"] for row in marked(drawn, goal) if row["on_front"]] == [row["number"] for row in slow]


def test_what_is_above_a_limit_or_diverged_is_on_no_front_and_never_the_best(tmp_path: Path) -> None:
    goal = aimed(ACCURACY, ["validation_accuracy", "parameters"], {"epoch_seconds": 2})
    trials = Trials(tmp_path, ["units"], total=4, goal=goal)
    for number, (accuracy, size, seconds, bad) in enumerate(
        [(0.9, 50, 3, 0), (0.8, 20, 1, 0), (0.7, 40, 1, 0), (0.0, 1, 1, 1)]
    ):
        own = {"parameters": size, "epoch_seconds": seconds, "diverged": bad}
        trials.report(f"{number}", number, {"units": 8}, result(accuracy, 0.1, 1, **own))
    assert [row["number"] for row in trials.ranked()] == [1, 2, 0, 3]
    best = trials.best()
    assert best
    assert best["number"] == 1
    trials.write()
    assert [row["number"] for row in json.loads((tmp_path / "pareto.json").read_text())["front"]] == [1]
    table = list(csv.DictReader((tmp_path / "trials.csv").open()))
    assert [(row["feasible"], row["on_front"]) for row in table] == [
        *(("True", "True"), ("True", "False"), ("False", "False"), ("False", "False"))
    ]
    assert [row["parameters"] for row in table] == ["20", "40", "50", "1"]
    pareto_figure(marked(trials.ranked(), goal), goal).savefig(tmp_path / "pareto.png")
    assert (tmp_path / "pareto.png").stat().st_size > 5000


def test_a_trials_best_epoch_is_one_that_keeps_within_the_limits(tmp_path: Path) -> None:
    trials = Trials(tmp_path, [], total=1, goal=aimed(ACCURACY, [], {"epoch_seconds": 2}))
    for epoch, (accuracy, seconds) in enumerate([(0.5, 1), (0.9, 3), (0.7, 1.5)], start=1):
        trials.report("a", 1, {}, result(accuracy, 0.1, epoch, epoch_seconds=seconds))
    assert trials.rows["a"]["epochs"] == 3


SPACE: Space = {"width": tune.randint(1, 65), "rate": tune.loguniform(1e-4, 1.0), "kind": tune.choice(["a", "b"])}


def scores(config: dict[str, Any]) -> dict[str, float]:
    """The wider the better, and the larger."""
    return {"loss": 1 / config["width"] + abs(config["rate"] - 0.1), "size": float(config["width"])}


def try_some(name: str, goal: Goal, trials: int, seed: int = 0) -> list[dict[str, Any]]:
    search = make_search(name, SPACE, goal, seed=seed, trials=trials)
    tried = []
    for trial in map(str, range(trials)):
        config = active(SPACE, search.suggest(trial))
        told = scores(config) | {"diverged": int(config["width"] < 3), "failed": 0, "training_iteration": 1}
        search.on_trial_result(trial, told)
        search.on_trial_complete(trial, told)
        tried.append(config)
    return tried


@pytest.mark.parametrize("name", ["optuna-tpe", "nsga2"])
def test_a_search_with_two_goals_spreads_along_the_front(name: str) -> None:
    tried = try_some(name, TWO, 60)
    assert tried == try_some(name, TWO, 60)  # the same seed
    late = tried[30:]
    assert max(config["width"] for config in late) > 3 * min(config["width"] for config in late)
    near = [abs(config["rate"] - 0.1) < 0.1 for config in tried]
    assert sum(near[30:]) > sum(near[:30])


@pytest.mark.parametrize("name", ["optuna-tpe", "nsga2"])
def test_a_limit_guides_the_search(name: str) -> None:
    goal = aimed(LOSS, ["loss"], {"size": 16.0})
    within = [config["width"] <= 16 for config in try_some(name, goal, 60)]
    without = [config["width"] <= 16 for config in try_some(name, LOSS, 60)]
    assert sum(within[30:]) > sum(without[30:])


@pytest.mark.process  # each of its proposals takes seconds
def test_gp_goes_by_two_goals_within_a_limit() -> None:
    assert len(try_some("gp", replace(TWO, limits=(("size", 32.0),)), 11)) == 11


def test_what_goes_by_one_goal_is_refused() -> None:
    for search in ("hyperopt", "cmaes", "pso", "de"):
        with pytest.raises(InputError, match=f"search {search} goes by one goal; with several, use grid, random"):
            make_tuning(SMALL, Options(search=search, goals=("validation_accuracy", "parameters")))


def test_where_ray_keeps_optunas_trials_elsewhere_that_is_said_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optuna_internals, "_said", set())
    assert not optuna_internals.note(object(), "a", "b", 1)
    assert not optuna_internals.note(object(), "a", "b", 1)
    assert len(caplog.records) == 1


def loop(config: dict[str, Any]) -> None:
    """A loop whose size is a goal, and of which a narrow one has no size."""
    for _ in range(2):
        tune.report(scores(config) | {"size": float("nan") if config["width"] == 1 else config["width"]})


STUDY = LoopStudy(
    name="sized",
    description="",
    train=loop,
    space={"width": tune.choice([1, 4, 8, 16]), "rate": tune.choice([0.1, 0.2])},
    metric="loss",
    mode="min",
    search="grid",
    scheduler="none",
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"goals": ("validation_accuracy", "paramters:min")}, "goal or limit 'paramters' is unknown; did you mean"),
        ({"at_most": {"seconds": 2}}, "goal or limit 'seconds' is unknown"),
        ({"goals": ("loss", "loss:max")}, "goals must be different ones"),
        ({"at_most": {"epoch_seconds": float("nan")}}, "at_most must have a finite number for each name"),
        ({"goals": "loss"}, "goals must be a list of names"),
    ],
)
def test_what_cannot_be_a_goal_or_a_limit_is_told_in_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_tuning(SMALL, Options(**options))


def test_a_column_of_the_table_is_no_number_of_a_loop() -> None:
    with pytest.raises(InputError, match="seconds is a column of trials.csv; .* is reported/seconds"):
        make_tuning(STUDY, Options(at_most={"seconds": 2}))


def test_a_resumed_run_has_the_same_goals_and_a_search_that_knows_several(tmp_path: Path) -> None:
    for study in (SMALL, replace(STUDY, search="hyperopt")):
        second = "parameters" if study is SMALL else "size:min"
        asked = Options(goals=(study.goal.metric, second), at_most={second.partition(":")[0]: 9})
        tuning = make_tuning(study, asked)
        assert tuning.search == "optuna-tpe"
        kept = json.loads(json.dumps({"configuration": tuning.configuration()}))
        assert tuning_of(kept, tmp_path, study).goal == tuning.goal
        assert tautune.trainables.goal.goal_in(kept["configuration"]) == tuning.goal


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_classifier_is_tuned_for_accuracy_and_size(tmp_path: Path) -> None:
    options = {"trials": 6, "max_epochs": 2, "concurrent": 1}
    aims = {"goals": ["validation_accuracy", "parameters:min"], "at_most": {"parameters": 1500}}
    best, printed = run(SMALL, "nsga2", "asha", tmp_path / "out", **options, **aims)
    rows = rows_of(tmp_path / "out")
    for row in rows:
        first, layers = int(row["config/units_1"]), row["config/layers"] == "2"
        widths = [64, first, *([int(row["config/units_2"])] if layers else []), 10]
        assert int(row["parameters"]) == sum((a + 1) * b for a, b in zip(widths, widths[1:], strict=False))
        assert (row["feasible"] == "True") == (int(row["parameters"]) <= 1500)
    assert best["parameters"] <= 1500
    assert "on the front" in printed
    assert (tmp_path / "out" / "pareto.png").exists()
    found = tautune.load(tmp_path / "out")
    assert isinstance(found, TuningResult)
    assert found.front[0]["number"] == best["number"]
    cut = killed(tmp_path / "out", tmp_path / "cut", 9)
    resume(cut, study=SMALL)
    mine = [{k: v for k, v in row.items() if k != "epoch_seconds"} for row in trajectories(rows_of(cut))]
    assert mine == trajectories(rows)


@pytest.mark.process
@pytest.mark.usefixtures("local_ray")
def test_a_loop_is_tuned_for_two_of_the_numbers_that_it_reports(tmp_path: Path) -> None:
    result = tautune.tune(STUDY, goals=["loss", "size:min"], at_most={"size": 8}, output=tmp_path / "out")
    states = {(row["config/width"], row["state"]) for _, row in result.trials.iterrows()}
    assert states == {(1, "diverged"), (4, "finished"), (8, "finished"), (16, "finished")}
    assert [row["config"] for row in result.front] == [{"width": 8, "rate": 0.1}, {"width": 4, "rate": 0.1}]
    assert result.best["config"] == {"width": 8, "rate": 0.1}
    with pytest.raises(RunFailed, match="no trial keeps size at most 2"):
        tautune.tune(STUDY, at_most={"size": 2}, output=tmp_path / "none")
    with pytest.raises(InputError, match="reported loss, size, and not weight, which is a goal or a limit of this run"):
        tautune.tune(STUDY, goals=["loss", "weight:min"], output=tmp_path / "never")
