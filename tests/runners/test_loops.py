"""Training loops that users wrote, unchanged, by `tautune.tune`."""

import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ray import tune
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tautune
from tautune import LoopStudy
from tautune._tuned import extend
from tautune._tuning_result import TuningResult
from tautune.records.errors import InputError
from tautune.search_spaces.space import When

pytestmark = [pytest.mark.process, pytest.mark.timeout(400), pytest.mark.usefixtures("local_ray")]


def falling(config: dict[str, Any]) -> None:
    """A loop whose loss falls, with what users report beside the metric."""
    loss = 10.0
    for step in range(config["steps"].get("number", 5)):
        loss *= config["steps"]["factor"]
        tune.report({"loss": loss, "epochs": step, "deep": {"accuracy": 1 / (1 + loss)}, "note": "text"})


FALLING = LoopStudy(
    name="falling",
    description="",
    train=falling,
    space={
        "kind": tune.choice(["short", "long"]),
        "steps": {"factor": tune.uniform(0.1, 0.9), "number": When("kind", ("long",), tune.randint(3, 8))},
    },
    metric="loss",
    mode="min",
    trials=4,
    max_reports=8,
)


@pytest.mark.parametrize(("search", "scheduler"), [("hyperopt", "none"), ("optuna-tpe", "asha"), ("random", "median")])
def test_a_loop_is_tuned_as_it_is(search: str, scheduler: str, tmp_path: Path) -> None:
    result = tautune.tune(FALLING, search=search, scheduler=scheduler, output=tmp_path / "out")
    rows = result.trials
    assert len(rows) == 4
    assert list(rows["loss"]) == sorted(rows["loss"])
    assert result.best["loss"] == rows["loss"][0]
    assert (rows["deep/accuracy"] == 1 / (1 + rows["loss"])).all()
    assert (rows["reported/epochs"] == rows["epochs"] - 1).all()  # theirs is theirs, and ours is ours
    whole = rows[rows["state"] == "finished"]
    assert len(whole)
    assert (whole["epochs_trained"] == whole["config/steps/number"].fillna(5)).all()
    (events,) = (tmp_path / "out/tensorboard").glob("01 *")
    log = EventAccumulator(str(events)).Reload()
    assert {"1 goal/loss", "4 reported/deep/accuracy", "2 best so far/best_loss"} <= set(log.Tags()["scalars"])
    if search == "hyperopt":
        assert len(extend(tmp_path / "out", 2, study=FALLING).trials) == 6


ENDS = ("well", "not-a-number", "inf", "worse", "raises", "exit", "exit-0", "silent", "other-nan", "returns", "unnamed")


def ending(config: dict[str, Any]) -> Any:
    """A loop that ends in the way that its configuration says."""
    end = config["end"]
    if end == "silent":
        return None
    if end == "unnamed":
        tune.report({"accuracy": 1.0})
    tune.report({"score": 0.5, "other": math.nan if end == "other-nan" else 1.0})
    if end == "raises":
        raise ValueError("this configuration cannot be\nwhatever one does")
    if end.startswith("exit"):
        sys.exit(0 if end == "exit-0" else "ended")
    if end in ("not-a-number", "inf", "worse"):
        tune.report({"score": {"not-a-number": math.nan, "inf": -math.inf, "worse": -1e9}[end], "other": 2.0})
    return {"score": 0.75} if end == "returns" else None


def test_every_way_to_end_is_a_result(tmp_path: Path) -> None:
    space = {"end": tune.choice(list(ENDS))}
    study = LoopStudy(name="ends", description="", train=ending, space=space, metric="score", mode="max")
    with pytest.raises(tautune.RunFailed, match="5 of 11 trials failed"):
        tautune.tune(study, search="grid", scheduler="none", output=tmp_path / "out")
    result = tautune.load(tmp_path / "out")
    assert isinstance(result, TuningResult)
    rows = {row["config/end"]: row for _, row in result.trials.iterrows()}
    assert {end: row["state"] for end, row in rows.items()} == {
        "well": "finished",
        "returns": "finished",
        "other-nan": "finished",
        "not-a-number": "diverged",
        "inf": "diverged",
        "worse": "diverged",
        "raises": "failed",
        "exit": "failed",
        "exit-0": "failed",
        "silent": "failed",
        "unnamed": "failed",
    }
    assert all(
        rows[end]["score"] == -1e6 for end in ("not-a-number", "inf", "worse", "raises", "exit", "exit-0", "silent")
    )
    assert rows["returns"]["score"] == result.best["score"] == 0.75
    assert math.isnan(rows["other-nan"]["other"])  # the cell is empty
    assert "NaN" not in (tmp_path / "out/trials.jsonl").read_text()
    failures = {}
    for line in (tmp_path / "out/trials.jsonl").read_text().splitlines():
        row = json.loads(line)
        failures[row["config"]["end"]] = row.get("failure")
    assert failures["raises"] == "ValueError: this configuration cannot be"
    assert failures["silent"] == "RuntimeError: the loop returned without a report"
    assert failures["unnamed"] == "KeyError: a report has accuracy, and not score"
    assert "sys.exit" in failures["exit-0"]


def ending_slowly(config: dict[str, Any]) -> None:
    try:
        for step in range(5):
            tune.report({"loss": config["start"] + step})
    finally:
        time.sleep(2.5)  # as what uploads its results does; Ray Tune alone waits for two seconds


def test_a_loop_that_ends_slowly_does_no_harm_to_the_next(tmp_path: Path) -> None:
    space = {"start": tune.choice([1, 2])}
    study = LoopStudy(name="slow_end", description="", train=ending_slowly, space=space, metric="loss", mode="min")
    options: dict[str, Any] = {"search": "grid", "scheduler": "none", "max_epochs": 2, "concurrent": 1}
    result = tautune.tune(study, output=tmp_path / "out", **options)
    assert list(result.trials["state"]) == ["finished", "finished"]


def test_a_metric_that_is_never_reported_ends_the_run_in_one_line(tmp_path: Path) -> None:
    study = replace(FALLING, metric="accuracy", mode="max")
    with pytest.raises(InputError, match="loop of falling reported deep/accuracy, loss, reported/epochs, and not acc"):
        tautune.tune(study, output=tmp_path / "out")
