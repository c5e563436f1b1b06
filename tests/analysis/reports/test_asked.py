"""What runs were asked for, beside each other, in words and not as they are kept."""

from tautune.analysis.reports.parts.asked import asked_table
from tests.analysis.reports.made import SPACE

OTHER = {name: text for name, text in SPACE.items() if name != "layers"} | {
    "learning_rate": "float Uniform {'lower': 0.5, 'upper': 2.0}",
    "beta": "float Normal {'mean': 0.0, 'sd': 1.0}",
}


def test_only_what_differs_is_told_each_entry_by_itself() -> None:
    one = {"seed": 0, "set": {"delay": 8}, "space": SPACE, "workers": None, "trials": 20}
    other = {"seed": 3, "set": {}, "space": OTHER, "workers": {"count": 2}, "trials": 20}
    table = asked_table({"one": one, "other": other})
    assert table.columns == ("", "one", "other")
    assert {row[0]: row[1:] for row in table.rows} == {
        "seed": ("0", "3"),
        "set: delay": ("8", ""),
        "space: learning_rate": ("0.001 to 1 (log)", "0.5 to 2"),
        "space: layers": ("1, 2", ""),
        "space: beta": ("", "float"),
        "workers: count": ("", "2"),
    }
    assert asked_table({"one": one, "again": one}).rows == [("nothing differs", "", "")]


def test_lists_are_told_as_the_command_takes_them() -> None:
    one = {"update": {"drawn": [[0, 0.1111112], [8, 0.8888888]], "stages": [2, 1, 0]}, "workers": {"slowdown": []}}
    assert asked_table({"one": one, "other": {}}).rows == [
        ("update: drawn", "0:0.1111, 8:0.8889", ""),
        ("update: stages", "2, 1, 0", ""),
    ]


def test_a_condition_is_told_and_long_texts_are_cut() -> None:
    table = asked_table({"one": {"space": SPACE}, "other": {"note": "x" * 200}})
    told = {row[0]: row[1:] for row in table.rows}
    assert told["space: units"] == ("8 to 64, when layers in [2]", "")
    assert told["note"] == ("", f"{'x' * 79}…")
