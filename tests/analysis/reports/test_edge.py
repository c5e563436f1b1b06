"""The report of trainings that were followed to their edge."""

import json
from pathlib import Path

from tautune.analysis.pages.html import as_html
from tautune.analysis.reported import read_page
from tautune.records.edge_folder import EdgeFolder
from tests.analysis.test_edges import samples


def made_edge(folder: Path, *, finished: bool = True) -> Path:
    """Writes trainings at two delays, each with two seeds, one of which diverged."""
    folder.mkdir()
    configuration = {"kind": "edge", "study": "digits", "optimizer": "adam", "steps": 100, "sharpness": 1.0}
    runs = [{"started": "…"} | ({"finished": "…", "duration_seconds": 3.0} if finished else {})]
    (folder / "run.json").write_text(json.dumps({"configuration": configuration | {"decay": 0.999}, "runs": runs}))
    seen = samples(0, 0, 1.0) + samples(0, 1, 1.1) + samples(4, 0, 1.2) + samples(4, 1, 5.0, diverged=True)
    EdgeFolder(folder, {}).write(seen)
    return folder


def test_the_verdict_is_what_is_settled_at(tmp_path: Path) -> None:
    page = read_page(made_edge(tmp_path / "edge"))
    assert page.title == "digits: the edge of stability of Adam"
    assert page.verdict == "Late in training, ηλ divided by the delay's threshold is 1.050 at τ = 0 and 1.200 at τ = 4."
    assert [chart.name for chart in page.charts] == ["edge", "settled"]
    assert page.facts == {"trainings": "4", "steps": "100", "optimizer": "Adam", "time": "3 s"}
    assert page.notes == []
    as_html(page)


def test_damaged_lines_are_left_out_and_named(tmp_path: Path) -> None:
    folder = made_edge(tmp_path / "edge", finished=False)
    table = folder / "curves.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join([*lines[:2], "torn\n", *lines[3:]]))
    page = read_page(folder)
    assert "This run is not over" in page.notes[0]
    assert page.notes[1].endswith("curves.csv: line 3 is damaged and is left out")
    as_html(page)
    table.unlink()
    assert read_page(folder).verdict == "Nothing has been seen of a training yet."
