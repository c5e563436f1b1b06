"""Tables that are computed: those of docs/theory.md by the calculator, those of two studies from their results."""

from pathlib import Path

import pytest

from docs import outcome_tables, theory_tables
from docs.tables import BEGIN, computed

TEXT = theory_tables.PAGE.read_text()


def test_the_tables_are_computed() -> None:
    assert computed(TEXT, theory_tables.TABLES) == TEXT, "run `python -m docs.theory_tables`"
    assert TEXT.count("| 32 |") == 1


@pytest.mark.parametrize("page", outcome_tables.PAGES, ids=lambda page: str(page.name))
def test_the_tables_of_a_study_are_those_of_its_results(page: Path) -> None:
    text, tables = page.read_text(), outcome_tables.PAGES[page]
    for name in tables:
        assert text.count(BEGIN.format(name)) == 1
    assert computed(text, tables) == text, "run `python -m docs.outcome_tables`"
