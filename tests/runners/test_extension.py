"""Tunings that go on: extended, after a spent budget, and in a thread."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tautune._tune import tune as tautune_tune
from tautune._tune import tuning_result
from tautune._tuned import extend, refit, resume
from tautune.records.errors import InputError
from tautune.runners.trial_callback import TrialCallback
from tests.runners.tunings import SMALL, rows_of, run, trajectories


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_an_extension_goes_on_with_what_the_search_and_asha_know(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    run(SMALL, "hyperopt", "asha", folder, trials=5, concurrent=1)
    first = {row["trial"] for row in rows_of(folder)}
    extend(folder, 4, study=SMALL)
    rows = rows_of(folder)
    assert len(rows) == 9
    whole = tmp_path / "whole"
    run(SMALL, "hyperopt", "asha", whole, trials=9, concurrent=1)
    assert trajectories(rows_of(whole)) == trajectories(rows)  # as if nine had been asked for at once
    assert first < {row["trial"] for row in rows}
    run_json = json.loads((folder / "run.json").read_text())
    assert [r["experiment"] for r in run_json["runs"]] == ["trials", "trials-2"]
    assert sorted(int(row["number"]) for row in rows) == list(range(1, 10))
    assert sorted(place.name for place in (folder / "trials-2").iterdir() if place.is_dir()) == ["06", "07", "08", "09"]
    resume(folder, study=SMALL)  # nothing is left
    assert rows_of(folder) == rows
    changed = replace(SMALL, space=SMALL.space | {"units_1": 32})
    with pytest.raises(InputError, match="another version of the study small: its space was"):
        refit(folder, study=changed)


USUAL = TrialCallback.seconds_left


def no_sooner_than(enough: Callable[[dict[str, Any]], bool]) -> property:
    """Returns the usual clock, which a slow machine cannot run out before some row is enough."""

    def seconds_left(callback: TrialCallback) -> float | None:
        left: float | None = USUAL.__get__(callback)
        assert left is not None
        return left if any(map(enough, callback.trials.rows.values())) else max(left, 1.0)

    return property(seconds_left)


def first_result_spends_it(callback: TrialCallback) -> float:
    """Returns the seconds left of a budget, however fast or slow the machine is."""
    return 0.0 if callback.trials.rows else 1.0


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_spent_time_budget_is_no_interruption_and_a_resume_has_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    monkeypatch.setattr(TrialCallback, "seconds_left", no_sooner_than(lambda row: row["validation_accuracy"] > 0.5))
    best, _ = run(SMALL, "random", "none", folder, trials=3, max_epochs=1500, time_budget=7)
    assert best["validation_accuracy"] > 0.5
    first = json.loads((folder / "run.json").read_text())["runs"][-1]
    assert first["stopped_by_budget"]
    assert "finished" in first
    had = {row["trial"]: int(row["epochs_run"]) for row in rows_of(folder)}
    more = no_sooner_than(lambda row: row["epochs_run"] > had.get(row["trial"], 0))
    monkeypatch.setattr(TrialCallback, "seconds_left", more)
    resume(folder, study=SMALL)
    last = json.loads((folder / "run.json").read_text())["runs"][-1]
    assert last["training_epochs"] > first["training_epochs"]
    assert "finished" in last
    assert {row["state"] for row in rows_of(folder)} <= {"finished", "interrupted"}


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_in_a_thread_a_spent_budget_ends_the_run_and_it_can_be_resumed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_thread(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(call, *arguments, **options).result()

    options = {"search": "random", "scheduler": "none", "trials": 2, "max_epochs": 60, "time_budget": 600}
    with monkeypatch.context() as patch:
        patch.setattr(TrialCallback, "seconds_left", property(first_result_spends_it))
        result = in_thread(tautune_tune, SMALL, output=tmp_path / "out", **options)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["runs"][-1]["stopped_by_budget"]
    first = dict(zip(result.trials["number"], result.trials["epochs_run"], strict=True))
    result = in_thread(resume, result.path, study=SMALL)
    assert tuning_result(result.path).best == result.best
    second = dict(zip(result.trials["number"], result.trials["epochs_run"], strict=True))
    assert sum(second.values()) > sum(first.values())
    assert len(second) == 2
    assert capfd.readouterr().out == ""
    with pytest.raises(InputError, match="which came from Python; go on from Python, with study="):
        resume(result.path)
