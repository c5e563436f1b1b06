"""The report of a tuning: what it says is what the folder says, however much of it is missing."""

import itertools
import json
import re
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from tautune.analysis.pages.html import as_html
from tautune.analysis.pages.page import Page
from tautune.analysis.reported import compared, read_page
from tautune.analysis.reports.charts import time_line
from tautune.analysis.reports.charts.progress import improvements
from tautune.analysis.reports.charts.rungs import rungs
from tautune.analysis.reports.parts.tuned import MOST, read_tuned
from tautune.records.errors import InputError
from tautune.records.journal import read_journal
from tests.analysis.reports.made import RUNGS, made_tuning
from tests.docs.test_commands import refusal


def names(page: Page) -> set[str]:
    return {chart.name for chart in page.charts}


def rows_of(page: Page, title: str) -> list[Any]:
    (table,) = (section.table for section in page.sections if section.title == title)
    assert table is not None
    return list(table.rows)


def test_a_tuning_has_all_its_figures_and_the_verdict_is_the_best_trial(tmp_path: Path) -> None:
    folder = made_tuning(tmp_path / "run")
    page = read_page(folder)
    assert names(page) == {
        *("best-so-far", "learning-curves", "rungs", "parallel-coordinates", "slices", "importance", "time-line")
    }
    best = json.loads((folder / "best.json").read_text())
    assert page.verdict.startswith(f"The best of 20 trials is {best['number']:02d} ")
    assert f"{best['validation_accuracy']:.5g} at epoch {best['epochs']} of {best['epochs_trained']}." in page.verdict
    assert page.notes == []
    assert len(rows_of(page, "All trials")) == 20
    assert all(chart.says for chart in page.charts)


def test_best_so_far_is_the_running_maximum(tmp_path: Path) -> None:
    tuned = read_tuned(made_tuning(tmp_path / "run"))
    values = [0.0 if report.bad else report.value for report in tuned.history.reports]
    running = list(itertools.accumulate(values, max))
    steps = list(improvements(tuned))
    assert [spent for spent, _, _ in steps] == [i for i, v in enumerate(running, 1) if v > ([0.0, *running])[i - 1]]
    assert (
        steps[-1][1] == max(values) == json.loads((tmp_path / "run" / "best.json").read_text())["validation_accuracy"]
    )


def test_rungs_are_where_trials_were_stopped(tmp_path: Path) -> None:
    folder = made_tuning(tmp_path / "run")
    assert rungs(read_tuned(folder)) == list(RUNGS[:-1])
    page = read_page(folder)
    titles = {chart.name: chart.title for chart in page.charts}
    assert titles["rungs"] == "Where ASHA stopped trials"
    assert page.facts["stopped early"] == str(sum(row[1] == "stopped" for row in rows_of(page, "All trials")))


def test_no_two_trials_are_in_a_lane_at_once_and_no_lane_is_for_nothing() -> None:
    spans = [
        time_line.Span(f"{i}", "host", begin, end) for i, (begin, end) in enumerate([(0, 4), (1, 2), (2, 5), (4, 6)])
    ]
    assert time_line.lanes(spans) == [0, 1, 1, 0]


def test_a_trial_that_was_paused_has_two_bars(tmp_path: Path) -> None:
    folder = made_tuning(tmp_path / "run", trials=2, hosts=1)
    lines = [event for event in read_journal(folder) if "result" in event]
    assert all(abs(event["at"] - time.time()) < 60 for event in lines)
    tuned = read_tuned(folder)
    reports = tuned.history.reports
    shifted = [report.__class__(**vars(report) | {"at": 1000 + 0.5 * i}) for i, report in enumerate(reports)]
    tuned.history.reports[:] = [
        report.__class__(**vars(report) | {"at": (report.at or 0) + (50 if report.epoch > 5 else 0)})
        for report in shifted
    ]
    long = {report.trial for report in reports if report.epoch > 5}
    for trial in {report.trial for report in reports}:
        assert sum(span.trial == trial for span in time_line.spans(tuned)) == (2 if trial in long else 1)


def test_a_run_that_goes_on_is_reported_and_said_to(tmp_path: Path) -> None:
    page = read_page(made_tuning(tmp_path / "run", finished=False))
    assert "This run is not over" in page.notes[0]
    assert page.facts["trials"] == "20 of 20"
    assert page.facts["running"] == "1"
    assert "learning-curves" in names(page)


def test_a_run_without_a_trial_is_reported(tmp_path: Path) -> None:
    folder = made_tuning(tmp_path / "a 'run'", trials=0, finished=False)
    page = read_page(folder)
    assert page.verdict == "No trial has reported yet."
    assert f"`tautune resume {shlex.quote(str(folder))}`" in page.notes[0]
    ended = read_page(made_tuning(tmp_path / "ended", trials=0))
    assert (ended.verdict, len(ended.notes)) == ("No trial has reported.", 1)
    assert read_page(made_tuning(tmp_path / "one", trials=1)).verdict.startswith("The only trial is 01")
    assert page.charts == []
    assert "<h1>Tuning of digits_mlp</h1>" in as_html(page)


def test_a_run_of_which_every_trial_diverged_is_reported(tmp_path: Path) -> None:
    folder = made_tuning(tmp_path / "run", trials=3)
    lines = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    (folder / "trials.jsonl").write_text("".join(json.dumps(row | {"state": "diverged"}) + "\n" for row in lines))
    page = read_page(folder)
    assert page.verdict.startswith("No trial has a result that counts")
    assert len(rows_of(page, "All trials")) == 3
    as_html(page)


def test_what_is_damaged_is_left_out_and_named(tmp_path: Path) -> None:
    folder = made_tuning(tmp_path / "run")
    table, journal = folder / "trials.jsonl", folder / "journal.log"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join([*lines[:4], lines[4][: len(lines[4]) // 2] + "\n", *lines[5:]]))
    events = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*events[:2], b"x" + events[2][1:], *events[3:]]))
    page = read_page(folder)
    assert [note.partition("run/")[2] for note in page.notes] == [
        "trials.jsonl: line 5 is damaged and is left out",
        "journal.log: line 3 is damaged and is left out",
    ]
    assert len(rows_of(page, "All trials")) == 19
    as_html(page)


def test_a_table_alone_is_reported_as_far_as_it_goes(tmp_path: Path) -> None:
    folder = made_tuning(tmp_path / "run")
    (folder / "trials.jsonl").unlink()
    (folder / "journal.log").unlink()
    table = folder / "trials.csv"
    table.write_text(table.read_text().replace("finished", "finished", 1) + "torn,line\n")
    page = read_page(folder)
    assert names(page) == {"parallel-coordinates", "slices", "importance"}
    assert "has each trial's best epoch and no curves" in page.notes[0]
    assert page.notes[1].endswith("trials.csv: line 22 is damaged and is left out")
    assert len(rows_of(page, "All trials")) == 20
    as_html(page)


HOSTILE = "<script>alert('x')</script> \"a\" & b"


def test_names_of_any_kind_are_text(tmp_path: Path) -> None:
    space = {
        HOSTILE: "float Uniform {'lower': 0.0, 'upper': 1.0}",
        "learning_rate": "float LogUniform {'lower': 0.001, 'upper': 1.0}",
    }
    folder = made_tuning(tmp_path / 'a folder\'s "name"', study=f"/tmp/{HOSTILE}.py", space=space)
    for file in (folder / "trials.jsonl",):
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for i, row in enumerate(rows):
            row["config"] |= {HOSTILE: i / 20}
            row["host"] = HOSTILE
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = as_html(read_page(folder))
    assert "alert" in text
    assert re.findall(r"<script>(?!\s*\"use strict\")", text) == []
    assert "alert('x')</script>" not in text


WORKERS = {"count": 2, "mode": "synchronous", "cpus": None, "gpus": 0.0, "slowdown": []}


@pytest.mark.parametrize(
    ("places", "options"),
    [
        ({"workers": WORKERS}, "--workers 2 --mode synchronous"),
        ({"stages": {"count": 3, "stashing": False, "cpus": 0.5}}, "--stages 3 --cpus-per-stage 0.5 --no-stashing"),
    ],
)
def test_commands_are_accepted_and_name_every_option_that_was_given(
    tmp_path: Path, places: dict[str, Any], options: str
) -> None:
    changes: dict[str, Any] = places | {
        "seed": 3,
        "folds": 5,
        "time_budget": 60.0,
        "set": {"delay": 8, "schedule": "cosine"},
        "goals": ["validation_loss:min"],
    }
    page = read_page(made_tuning(tmp_path / "run", **changes))
    (section,) = (section for section in page.sections if section.title == "The best configuration")
    best, whole = section.commands
    assert [refusal(command) for command in section.commands] == [None, None]
    assert "--point" in best
    assert "--scheduler none --trials 1" in best
    for option in (
        "--seed 3",
        "--folds 5",
        "--set delay=8",
        "--set 'schedule=\"cosine\"'",
        "--goal validation_loss:min",
        options,
    ):
        assert option in best
        assert option in whole
    assert "--time-budget 60" in whole
    assert "--time-budget" not in best


def test_of_very_many_trials_the_best_are_all_drawn_and_it_is_said(tmp_path: Path) -> None:
    tuned = read_tuned(made_tuning(tmp_path / "run", trials=MOST + 50))
    drawn = [row["number"] for row in tuned.drawn]
    assert len(drawn) == len(set(drawn)) == MOST
    assert drawn[:100] == [row["number"] for row in tuned.good[:100]]
    assert f"Of {len(tuned.good)} trials, 300 are drawn" in tuned.thinned


def test_tunings_are_compared_by_what_they_found_and_what_they_were_asked_for(tmp_path: Path) -> None:
    one, other = made_tuning(tmp_path / "one"), made_tuning(tmp_path / "other", trials=12, seed=5)
    page = compared([one, other])
    assert page.verdict.startswith("one and other found the best: validation accuracy 0.9")  # they are made alike
    asked = {row[0]: row[1:] for row in rows_of(page, "What was asked for")}
    assert asked == {"trials": ("20", "12"), "seed": ("0", "5")}
    assert rows_of(page, "How they went")[0][0] == "one"
    with pytest.raises(
        InputError, match="of one metric: these compared their trials one by validation_accuracy, loss by"
    ):
        compared([one, made_tuning(tmp_path / "loss", goals=["validation_loss:min"])])


def test_of_several_goals_the_verdict_names_the_front(tmp_path: Path) -> None:
    page = read_page(made_tuning(tmp_path / "run", goals=["validation_accuracy", "training_loss:min"]))
    assert "pareto-front" in names(page)
    assert page.verdict.endswith(" on the Pareto front of validation accuracy and training loss.")


def test_a_test_is_told_once_there_was_one(tmp_path: Path) -> None:
    folder = made_tuning(tmp_path / "run")
    (folder / "test.json").write_text(json.dumps({"test_accuracy": 0.97, "test_images": 360, "config": {"a": 1}}))
    assert rows_of(read_page(folder), "The test") == [("test accuracy", 0.97), ("test images", 360)]
    (folder / "test.json").write_text("{")
    page = read_page(folder)
    assert "test.json is damaged" in page.notes[0]
    assert "The test" not in {section.title for section in page.sections}
