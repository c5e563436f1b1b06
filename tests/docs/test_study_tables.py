"""docs/studies.md, docs/searches.md, docs/benchmarks.md: the numbers of their tables are those that were measured."""

import json
from pathlib import Path

import pytest

from docs import grid_table, study_tables
from docs.tables import computed


@pytest.mark.parametrize("page", study_tables.PAGES, ids=lambda page: page.name)
def test_the_tables_are_those_of_the_results(page: Path) -> None:
    text = page.read_text()
    assert "<!-- computed: " in text
    assert computed(text, study_tables.TABLES) == text, "run `python -m docs.study_tables`"


def test_where_a_grids_time_goes_is_as_it_was_measured() -> None:
    text = grid_table.PAGE.read_text()
    assert all(f"<!-- computed: {name} -->" in text for name in grid_table.TABLES)
    assert computed(text, grid_table.TABLES) == text, "run `python -m docs.grid_table`"


def test_a_run_and_its_folder_agree() -> None:
    """What the page says of a seed is in test.json, as `tautune refit` wrote it."""
    for study, (metric, *_) in study_tables.STUDIES.items():
        if not (study_tables.RESULTS / f"{study}.json").exists():
            continue
        for seed, run in enumerate(study_tables.read(study)["runs"]):
            kept = json.loads((study_tables.RESULTS / f"{study}-{seed}/test.json").read_text())
            assert kept[f"test_{metric}"] == run[f"test_{metric}"]
            best = json.loads((study_tables.RESULTS / f"{study}-{seed}/best.json").read_text())
            assert best[f"validation_{metric}"] == run[f"validation_{metric}"]
