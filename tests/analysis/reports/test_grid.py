"""The reports of grids."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from tautune.analysis.pages.html import as_html
from tautune.analysis.reported import compared, read_page
from tautune.records.grid_folder import GridFolder
from tautune.trainables.grid.point import Outcome, Point
from tests.analysis.test_grids import ROWS
from tests.docs.test_commands import refusal


def made_grid(
    folder: Path, *, finished: bool = True, sharpness: float = 2.0, rows: dict[Point, Outcome] = ROWS
) -> Path:
    folder.mkdir()
    configuration = {"kind": "grid", "study": "digits", "momentum": 0.0, "shifted": False, "steps": 9, "mini_batch": 32}
    runs = [{"started": "…"} | ({"finished": "…", "duration_seconds": 3.0} if finished else {})]
    (folder / "run.json").write_text(json.dumps({"configuration": configuration, "sharpness": sharpness, "runs": runs}))
    GridFolder(folder, {}).write(rows)
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
    page = compared([made_grid(tmp_path / "a"), made_grid(tmp_path / "b $x$ <b>", sharpness=8.0)])
    assert page.verdict == "a has the smallest loss: 1.5 at τ = 0."
    (chart,) = page.charts
    (axes,) = chart.figure.axes
    best, theory, _, steeper = axes.get_lines()
    assert best.get_xydata() == pytest.approx(np.array([[0, 0.1], [3, np.nan], [5, 0.1]]), nan_ok=True)
    thresholds = [2 / 2.0 * math.sin(math.pi / (2 * (2 * delay + 1))) for delay in (0, 3, 5)]
    assert theory.get_ydata() == pytest.approx(thresholds)
    assert steeper.get_ydata() == pytest.approx([threshold / 4 for threshold in thresholds])
    assert [label.get_text() for label in axes.texts] == ["a", "b $x$ <b>"]
    assert chart.table
    assert [row[:3] for row in chart.table.rows[:2]] == [("a", 0, 0.1), ("a", 3, None)]
    assert "b $x$ &lt;b&gt;" in as_html(page)


def test_grids_in_which_all_diverged_are_compared_without_a_figure(tmp_path: Path) -> None:
    diverged = {point: outcome for point, outcome in ROWS.items() if outcome.diverged}
    page = compared([made_grid(tmp_path / "a", rows=diverged), made_grid(tmp_path / "b", rows=diverged)])
    assert page.verdict == "Every training diverged."
    assert page.charts == []


@pytest.mark.parametrize("kind", ["unheard", "parts", "../x", ""])
def test_a_kind_without_a_report_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"configuration": {"kind": kind}}))
    with pytest.raises(ValueError, match="is of no kind of run that has a report"):
        read_page(tmp_path)
