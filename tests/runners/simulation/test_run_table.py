"""The trainings of a finished tuning: from its journal, or from what an older run's table tells."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tautune.records.errors import InputError
from tautune.records.journal import open_journal
from tautune.runners.simulation.run_table import read_run_table
from tautune.runners.simulation.table import Report

GRID = Path(__file__).parents[3] / "benchmarks/results/fashion_mnist_cnn_grid"


def a_run(folder: Path, events: list[dict[str, Any]], **configuration: Any) -> Path:
    folder.mkdir(exist_ok=True)
    kept = {"kind": "tuning", "scheduler": "none", "metric": "loss", "mode": "min"} | configuration
    (folder / "run.json").write_text(json.dumps({"configuration": kept, "runs": [{"finished": "now"}]}))
    journal = open_journal(folder, events)
    journal.close()
    return folder


def begun(trial: str, number: int) -> dict[str, Any]:
    return {"begin": trial, "number": number, "experiment": "trials", "config": {"rate": number}}


def reported(trial: str, epoch: int, loss: float, rate: float | None = None) -> dict[str, Any]:
    every = {"diverged": 0, "failed": 0, "failure": "", "diverged_step": -1, "history": [], "hostname": "here"}
    result = every | {"epochs": epoch, "time_total_s": 2.5 * epoch, "scores": {"loss": loss, "other": 7.0}}
    return {"result": trial, "reported": result} | ({} if rate is None else {"hyperparameters": {"rate": rate}})


def ended(trial: str) -> dict[str, Any]:
    return {"end": trial, "told": None, "error": False}


EVENTS = [
    *(begun("a", 1), reported("a", 1, 5.0, 0.1), begun("b", 2), reported("b", 1, 9.0, 0.2), reported("a", 2, 4.0)),
    *(reported("a", 2, 4.0), ended("a"), ended("b")),  # a loop that went on repeats what it had reported
    *(begun("c", 3), reported("c", 1, 9.0, 0.2), reported("c", 2, 8.0), ended("c")),  # b again, and longer
]


def test_the_journal_has_the_whole_curves(tmp_path: Path) -> None:
    table = read_run_table(a_run(tmp_path / "run", EVENTS), None)
    curves = {training.config["rate"]: training.curve for training in table.trainings}
    assert curves == {
        0.1: (Report(1, 5.0, 2.5), Report(2, 4.0, 5.0)),
        0.2: (Report(1, 9.0, 2.5), Report(2, 8.0, 5.0)),
    }
    assert (table.goal.metric, table.goal.mode, table.unit, table.note) == ("loss", "min", "seconds", "")


def test_a_run_whose_scheduler_ended_trainings_says_so(tmp_path: Path) -> None:
    table = read_run_table(a_run(tmp_path / "run", EVENTS, scheduler="asha"), "loss")
    assert "its own scheduler, asha, ended some trainings early" in table.note


def test_the_table_of_243_networks_has_81_trainings_at_three_lengths() -> None:
    """A training of 5 epochs is the beginning of the same one of 20, which has reported the same until then."""
    table = read_run_table(GRID, None)
    assert len(table.trainings) == 243
    assert table.best == 0.8867
    best = next(t for t in table.trainings if t.curve[-1].value == 0.8867)
    reports = [(report.epoch, report.value) for report in best.curve]
    assert reports == [(4, 0.8636), (5, 0.8636), (9, 0.8789), (10, 0.8789), (14, 0.8867), (20, 0.8867)]
    assert best.curve[-1].time == pytest.approx(26.6)
    by_config = {json.dumps(t.config, sort_keys=True): t for t in table.trainings}
    for training in table.trainings:
        values = [report.value for report in training.curve]
        assert values == sorted(values)
        short = by_config[json.dumps(training.config | {"epochs": 5}, sort_keys=True)]
        at = {report.epoch: report.value for report in training.curve}
        assert all(at[report.epoch] == report.value for report in short.curve)


@pytest.mark.parametrize(
    ("events", "configuration", "metric", "words"),
    [
        (EVENTS[:-1], {}, None, "was stopped before its end; go on with it by `tautune resume"),
        (EVENTS, {"scheduler": "pbt"}, None, "is a population, whose trials change their configurations"),
        (EVENTS, {}, "los", "the metric 'los' is unknown; did you mean loss?"),
        (EVENTS, {"kind": "grid"}, None, "is not of a tuning"),
        ([*EVENTS[:2], ended("a")], {}, None, "has 1 configurations; a search needs at least two"),
        ([], {}, None, "has no trials to replay: trials.csv is missing or empty"),
    ],
)
def test_a_run_that_cannot_be_replayed_is_told_in_one_line(
    events: list[dict[str, Any]], configuration: dict[str, Any], metric: str | None, words: str, tmp_path: Path
) -> None:
    folder = a_run(tmp_path / "run", events, **configuration)
    with pytest.raises(InputError, match=re.escape(words)) as told:
        read_run_table(folder, metric)
    assert "\n" not in str(told.value)
