"""How late gradients were: what was drawn, and what workers recorded."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tautune.analysis.pages.svg import inline_svg
from tautune.analysis.reported import read_page
from tautune.analysis.reports.charts.lateness import lateness
from tautune.trainables.asynchronous.settings import Workers
from tautune.trainables.threshold.update import Update
from tests.analysis.reports.made import made_tuning
from tests.analysis.test_thresholds import concluded, record

RECORDED = "step,worker,age,gradient,batch\n0,0,0,0,0\n1,1,1,1,1\n2,0,1,2,2\n3,1,3,3,3\n"


def test_delays_that_a_sweep_drew_are_told_with_their_mean() -> None:
    thresholds = concluded([record(8, 1.0)])
    assert lateness(thresholds) is None
    chart = lateness(replace(thresholds, update=Update(drawn=((8, 0.75), (0, 0.25)))))
    assert chart
    assert chart.says == "Delays that were drawn at each step: 6 on average."
    assert chart.table
    assert list(chart.table.rows) == [(0, 25), (8, 75)]


@pytest.mark.parametrize("places", ["workers", "stages"])
def test_ages_of_the_best_trials_are_those_of_their_tables_and_a_damaged_one_is_named(
    tmp_path: Path, places: str
) -> None:
    changes: dict[str, Any] = {places: {"count": 2}}
    folder = made_tuning(tmp_path / "run", **changes)
    assert "lateness" not in {chart.name for chart in read_page(folder).charts}
    best = [str(row[0]).split()[0] for row in table_of(folder)[:2]]
    for number, text in zip(best, (RECORDED, "step,age\n0,soon\n"), strict=True):
        (folder / "trials" / number).mkdir(parents=True)
        (folder / "trials" / number / "delays.csv").write_text(text)
    page = read_page(folder)
    (chart,) = (chart for chart in page.charts if chart.name == "lateness")
    assert chart.table
    assert [row[1:] for row in chart.table.rows] == [(0, 25), (1, 50), (3, 25)]
    assert {str(row[0]).split()[0] for row in chart.table.rows} == {best[0]}
    (note,) = page.notes
    assert note.startswith("Left out: ")
    assert note.endswith("delays.csv, line 2: a delay must be an integer ≥ 0 (optimizer steps), not 'soon'")
    assert inline_svg(chart).count("data-trial=") == 3


def table_of(folder: Path) -> list[tuple[object, ...]]:
    (section,) = (section for section in read_page(folder).sections if section.title == "All trials")
    assert section.table
    return [tuple(row) for row in section.table.rows]


def test_without_workers_no_table_is_looked_for(tmp_path: Path) -> None:
    folder = made_tuning(tmp_path / "run")
    (folder / "trials" / "01").mkdir(parents=True)
    (folder / "trials" / "01" / "delays.csv").write_text("nothing")
    assert read_page(folder).notes == []


@pytest.mark.parametrize("workers", [True, False])
def test_the_report_says_whose_delays_they_are(workers: bool) -> None:
    update = Update(drawn=((0, 0.5), (1, 0.5)), workers=Workers(count=2) if workers else None)
    chart = lateness(replace(concluded([record(1, 1.0)]), update=update))
    assert chart
    assert chart.says.startswith("Ages that the workers' gradients had" if workers else "Delays that were drawn")
