"""docs/theory.md: its tables are those that the calculator computes."""

from docs import theory_tables

TEXT = theory_tables.PAGE.read_text()


def test_the_tables_are_computed() -> None:
    assert theory_tables.computed(TEXT) == TEXT, "run `python -m docs.theory_tables`"
    assert TEXT.count("| 32 |") == 1
