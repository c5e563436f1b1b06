"""The report of a sweep: its verdict, and what it tells of a run that is not over or is damaged."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tautune.analysis.pages.html import as_html
from tautune.analysis.pages.page import Page
from tautune.analysis.reported import compared, read_page
from tautune.analysis.reports.parts.commands import sweep_again
from tautune.analysis.reports.sections.again import again_section
from tautune.analysis.threshold_figure import thresholds_figure
from tautune.records.errors import InputError
from tautune.trainables.asynchronous.settings import Workers
from tautune.trainables.threshold.update import Update
from tests.analysis.reports.test_tuning import rows_of
from tests.analysis.test_thresholds import SHARPNESS, concluded, record
from tests.docs.test_commands import refusal

DELAYS = (0, 1, 8)


def made_sweep(folder: Path, *, ratio: float = 1.001, finished: bool = True, **changes: Any) -> Path:
    """Writes a sweep whose thresholds are theory's times a ratio; its last delay is not measured if not `finished`."""
    (folder / "measurements").mkdir(parents=True)
    configuration = {
        "kind": "sweep",
        "study": "s",
        "resolution": 0.005,
        "momentum": 0.0,
        "shifted": False,
        "mini_batch": None,
    }
    started = {"started": "2026-11-28T20:00:00+00:00"} | (
        {"finished": "…", "duration_seconds": 9.5} if finished else {}
    )
    run = {"configuration": configuration | changes, "delays": DELAYS, "seeds": 1, "runs": [started]}
    (folder / "run.json").write_text(json.dumps(run | {"minimum": {"sharpness": SHARPNESS, "examples": 10}}))
    records = [record(delay, ratio) for delay in (DELAYS if finished else DELAYS[:-1])]
    for one in records:
        file = folder / "measurements" / f"delay={one.settings.delay}_seed=0.json"
        file.write_text(json.dumps(one.as_json()))
    if finished:
        (folder / "thresholds.json").write_text(json.dumps(concluded(records).as_json()))
    return folder


def test_the_verdict_is_what_to_keep_below_and_what_theory_is_worth(tmp_path: Path) -> None:
    page = read_page(made_sweep(tmp_path / "swept"))
    within = "heory lies within the measurements' ± 0.25 %, at most 0.1 % from the best estimates"
    assert page.verdict == f"At τ = 8 keep η below 0.0737; t{within}."  # the lower end of 0.07389 ± 0.25 %
    assert page.facts["η at τ = 8"] == "0.07389"
    off = read_page(made_sweep(tmp_path / "off", ratio=1.05))
    far = "heory is off by up to 5 %, and the measurements are known to ± 0.26 %"
    assert off.verdict == f"At τ = 8 keep η below 0.0773; t{far}."
    assert {"rates", "inverse", "error", "escapes", "escapes-collapsed", "cost"} <= {
        chart.name for chart in page.charts
    }
    (error,) = (chart for chart in page.charts if chart.name == "error")
    assert error.title == f"T{within}"
    assert "half the bracket's width to either side" in error.says
    assert [c.title for c in off.charts if c.name == "error"] == [f"T{far}"]
    as_html(page)


def test_a_sweep_that_goes_on_tells_what_there_is_and_what_is_missing(tmp_path: Path) -> None:
    page = read_page(made_sweep(tmp_path / "swept", finished=False))
    assert "This run is not over" in page.notes[0]
    assert page.notes[1] == "No threshold has been found at τ = 8."
    assert page.verdict.startswith("At τ = 1 keep η below 0.399")  # of 0.4004 ± 0.25 %
    as_html(page)


def test_a_sweep_without_a_threshold_is_reported(tmp_path: Path) -> None:
    folder = made_sweep(tmp_path / "swept", finished=False)
    for file in (folder / "measurements").iterdir():
        file.unlink()
    page = read_page(folder)
    assert page.verdict == "No threshold has been found yet."
    as_html(page)


def test_of_workers_the_page_and_the_figure_say_whose_delays_and_what_a_single_training_bears(tmp_path: Path) -> None:
    folder = made_sweep(tmp_path / "swept")
    workers = Update(workers=Workers(count=2), drawn=((0, 0.5), (2, 0.5)))
    (point,) = concluded([record(1, 0.9)]).points
    found = replace(
        concluded([]), update=workers, points=(replace(point, typical=1.01 * point.measured, mean_square=0.1, seeds=3),)
    )
    (folder / "thresholds.json").write_text(json.dumps(found.as_json()))
    page = read_page(folder)
    assert "and that of a single training by 0.99 %" in page.verdict
    (row,) = rows_of(page, "The threshold")
    assert (row[0], row[-2:]) == ("of 2 workers", (1.01 * point.measured, 0.1))
    assert {row[0] for row in rows_of(page, "How it was measured")} == {"of 2 workers"}
    as_html(page)
    figure = thresholds_figure(found)
    figure.draw_without_rendering()
    line, error = figure.axes
    assert [tick.get_text() for tick in line.get_xticklabels()] == ["of 2 workers"]
    assert error.title.get_window_extent().x1 <= figure.bbox.x1


def test_what_is_damaged_is_left_out_and_named(tmp_path: Path) -> None:
    folder = made_sweep(tmp_path / "swept")
    (folder / "thresholds.json").write_text('{"study": ')
    (folder / "measurements" / "delay=1_seed=0.json").write_text("{}")
    page = read_page(folder)
    assert [note.split(" is damaged")[0].rpartition("/")[2] for note in page.notes[:2]] == [
        "No threshold has been found at τ = 1.",
        "delay=1_seed=0.json",
    ]
    assert "thresholds.json is damaged: not JSON" in page.notes[2]
    assert [row[0] for row in next(chart for chart in page.charts if chart.name == "rates").table.rows] == [0, 8]  # type: ignore[union-attr]
    as_html(page)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"momentum": 0.9, "shifted": True, "mini_batch": 32},
        {"study": "examples/own_minimum.py", "resolution": 0.01},
    ],
)
def test_the_command_is_accepted(tmp_path: Path, changes: dict[str, Any]) -> None:
    page = read_page(made_sweep(tmp_path / "swept", **changes))
    (section,) = (section for section in page.sections if section.commands)
    assert [refusal(command) for command in section.commands] == [None]
    assert "--delays 0,1,8" in section.commands[0]


def test_the_command_has_the_file_that_was_given_and_there_is_none_for_a_study_of_a_program() -> None:
    def command(study: str) -> str:
        return f"tautune sweep {study}"

    run = {"configuration": {"study": "mine"}, "runs": [{"given": "mine"}, {"given": "a/my_study.py"}]}
    assert again_section(run, command).commands == ["tautune sweep a/my_study.py"]
    of_python = again_section(run | {"runs": [{"given": None}]}, command)
    assert (of_python.commands, of_python.text[0][:13]) == ((), "There is none")
    assert again_section(run | {"runs": [{}]}, command).commands == ["tautune sweep mine"]  # an older run.json


@pytest.mark.parametrize(
    ("update", "words"),
    [
        (
            Update(optimizer="nesterov", momentum=0.9, remedy="predict:4"),
            "--delays 0,1,8 --optimizer nesterov --momentum 0.9 --remedy predict:4",
        ),
        (Update(stages=(3, 1, 0)), "--optimizer sgd --stages 3,1,0"),
        (Update(drawn=((0, 0.25), (8, 0.75))), "--optimizer sgd --delay-shares 0:0.25,8:0.75"),
        (Update(workers=Workers(count=4, slowdown=(1, 1, 1, 2))), "--optimizer sgd --workers 4 --slowdown 1,1,1,2"),
    ],
)
def test_the_command_has_the_optimizer_and_how_gradients_are_late(update: Update, words: str) -> None:
    kept = {"study": "digits", "update": json.loads(json.dumps(update.as_json())), "momentum": 0.0, "mini_batch": None}
    command = sweep_again("digits", {"configuration": kept, "delays": DELAYS, "seeds": 1})
    assert command == f"tautune sweep digits {words}"
    assert refusal(command) is None


def test_sweeps_are_compared(tmp_path: Path) -> None:
    page = compared([made_sweep(tmp_path / "a"), made_sweep(tmp_path / "b", ratio=1.02, resolution=0.01)])
    assert page.verdict == (
        "Theory is farthest from b, where it is off by up to 2 %, and the measurements are known to ± 0.26 %."
    )
    assert page.sections[0].table
    assert page.sections[0].table.rows[1][4:6] == pytest.approx((2, 0.255))
    asked = next(section.table for section in page.sections if section.title == "What was asked for")
    assert asked is not None
    assert list(asked.rows) == [("resolution", "0.005", "0.01")]
    as_html(page)
    empty = [made_sweep(tmp_path / name, finished=False) for name in ("c", "d")]
    for file in (file for folder in empty for file in (folder / "measurements").iterdir()):
        file.unlink()
    with pytest.raises(InputError, match="none of these has one yet"):
        compared(empty)


def test_delays_that_are_drawn_have_one_threshold_and_no_curve(tmp_path: Path) -> None:
    update = Update(drawn=((0, 0.5), (8, 0.5))).as_json()
    folder = made_sweep(tmp_path / "drawn", update=update)
    found = json.loads((folder / "thresholds.json").read_text())
    only = {"points": found["points"][-1:], "escapes": [], "update": update}
    (folder / "thresholds.json").write_text(json.dumps(found | only))
    page = read_page(folder)
    assert page.verdict.startswith("With these delays keep η below 0.0737; ")
    assert page.facts["largest stable η"] == "0.07389"
    assert {chart.name for chart in page.charts} == {"lateness"}
    (table,) = (section.table for section in page.sections if section.title == "The threshold")
    assert table is not None
    assert [(table.columns[0], str(row[0])) for row in table.rows] == [("delay τ", "0 to 8, 4 on average")]


def test_only_where_theory_says_so_is_the_line_said_to_be_straight(tmp_path: Path) -> None:
    def title(page: Page) -> str:
        return next(chart.title for chart in page.charts if chart.name == "inverse")

    assert title(read_page(made_sweep(tmp_path / "plain"))) == "1/η is a straight line in 2τ+1"
    folder = made_sweep(tmp_path / "adam", update=Update(optimizer="adam").as_json())
    file = folder / "thresholds.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"update": Update(optimizer="adam").as_json()}))
    assert title(read_page(folder)) == "1/η against 2τ+1"
