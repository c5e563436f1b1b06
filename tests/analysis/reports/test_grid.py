"""The reports of grids and simulations."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tautune.analysis.pages.html import as_html
from tautune.analysis.regret import Method, Regret, Run
from tautune.analysis.report import write_regret
from tautune.analysis.reported import compared, read_page
from tautune.records.grid_folder import GridFolder
from tests.analysis.test_grids import ROWS
from tests.docs.test_commands import refusal


def made_grid(folder: Path, *, finished: bool = True) -> Path:
    folder.mkdir()
    configuration = {"kind": "grid", "study": "digits", "momentum": 0.0, "shifted": False, "steps": 9, "mini_batch": 32}
    runs = [{"started": "…"} | ({"finished": "…", "duration_seconds": 3.0} if finished else {})]
    (folder / "run.json").write_text(json.dumps({"configuration": configuration, "sharpness": 2.0, "runs": runs}))
    GridFolder(folder, {}).write(ROWS)
    return folder


def test_a_grids_verdict_is_its_best_learning_rate_beside_theory(tmp_path: Path) -> None:
    page = read_page(made_grid(tmp_path / "grid"))
    assert page.verdict == (
        "The best η is 0.1 at τ = 0 and 0.1 at τ = 5, where theory's threshold at the initial weights is 0.142."
    )
    assert (page.facts["points"], page.facts["diverged"]) == ("7", "3")
    command = next(section.commands[0] for section in page.sections if section.commands)
    assert "--delays 0,3,5 --learning-rates 0.1,1 --steps 9 --mini-batch 32 --seeds 2" in command
    assert refusal(command) is None
    as_html(page)


def test_a_damaged_line_of_points_is_left_out_and_named(tmp_path: Path) -> None:
    folder = made_grid(tmp_path / "grid", finished=False)
    table = folder / "points.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join([*lines[:2], "torn\n", *lines[3:]]))
    page = read_page(folder)
    assert "This run is not over" in page.notes[0]
    assert page.notes[1].endswith("points.csv: line 3 is damaged and is left out")
    assert page.facts["points"] == "6"
    table.unlink()
    assert read_page(folder).verdict == "No point has been trained yet."


def test_grids_are_compared(tmp_path: Path) -> None:
    page = compared([made_grid(tmp_path / "a"), made_grid(tmp_path / "b")])
    assert page.verdict == "a has the smallest loss: 1.5 at τ = 0."
    as_html(page)


def test_a_simulation_names_the_method_that_ends_nearest(tmp_path: Path) -> None:
    one = Run(method=Method("random", "none"), seed=0, trials=3, times=(1.0, 4.0), values=(0.5, 0.8))
    other = replace(one, method=Method("hyperopt", "asha"), values=(0.6, 0.9))
    runs = (one, other)
    regret = Regret(table="t.csv", metric="accuracy", mode="max", unit="seconds", best_value=0.9, worst_value=0.1,
                    until=10.0, workers=1, runs=runs)  # fmt: skip
    methods = {"searches": ["random", "hyperopt"], "schedulers": ["none", "asha"]}
    table = {"table": "t.csv", "metric": "accuracy", "mode": "max"}
    asked = {"kind": "simulation", "workers": 1, "repeats": 1, "time_budget": 10.0} | table | methods
    (tmp_path / "run.json").write_text(json.dumps({"configuration": asked, "runs": []}))
    write_regret(regret, tmp_path)
    page = read_page(tmp_path)
    assert page.verdict.startswith(
        "HyperOpt + ASHA ends nearest to the best of the table: its median regret is 0 after 10"
    )
    command = next(section.commands[0] for section in page.sections if section.commands)
    assert refusal(command) is None
    assert "--workers 1 --repeats 1 --time-budget 10" in command
    as_html(page)
    (tmp_path / "simulate.json").write_text("{")
    assert "simulate.json is damaged" in read_page(tmp_path).notes[0]


@pytest.mark.parametrize("kind", ["unheard", "parts", "../x", ""])
def test_a_kind_without_a_report_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"configuration": {"kind": kind}}))
    with pytest.raises(ValueError, match="is of no kind of run that has a report"):
        read_page(tmp_path)
