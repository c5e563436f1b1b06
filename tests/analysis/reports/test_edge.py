"""The report of trainings that were followed to their edge."""

import json
from pathlib import Path
from typing import Any

import pytest

from tautune.analysis.pages.html import as_html
from tautune.analysis.reported import compared, read_page
from tautune.records.edge_folder import EdgeFolder
from tautune.records.errors import InputError
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


def test_edges_are_compared_a_series_a_run(tmp_path: Path) -> None:
    """Names that are markup, formulas for matplotlib, or hidden from its legends stay what they are."""
    names = ["a <b>$\\frac$", "_b"]
    folders = [made_edge(tmp_path / name, finished=False) for name in names]
    EdgeFolder(folders[1], {}).write(samples(0, 0, 1.0) + samples(4, 0, 0.5) + samples(8, 0, 1.1)[:18])
    page = compared(folders)
    assert page.verdict == "_b settles farthest from the edge: at τ = 4, ηλ is 0.500 times the threshold."
    (chart,) = page.charts
    axes = chart.figure.axes[0]
    assert {text.get_text() for text in axes.texts} == set(names)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "4", "8"]
    assert chart.table
    ratios = {(row[0], row[1]): row[3] for row in chart.table.rows}
    known = [1.05, 1.2, 1.0, 0.5, 1.1]
    assert list(ratios.values()) == pytest.approx(known)
    bars: list[Any] = [container[0] for container in axes.containers]
    assert [bar.get_ydata()[0] for bar in bars] == pytest.approx(known)
    assert [bar.get_fillstyle() for bar in bars] == ["full"] * 4 + ["none"]  # the last one is not at its end
    html = as_html(page)
    assert html.count("a &lt;b&gt;$\\frac$") > 3
    assert "<b>" not in html


def test_an_edge_of_which_nothing_was_seen_is_named_and_all_of_them_are_refused(tmp_path: Path) -> None:
    folders = [made_edge(tmp_path / name) for name in ("a", "b")]
    (folders[1] / "curves.csv").unlink()
    assert compared(folders).notes == ["Nothing was seen of b's trainings yet."]
    (folders[0] / "curves.csv").unlink()
    with pytest.raises(InputError, match="compare needs an edge with a training that was seen; none of these has one"):
        compared(folders)
