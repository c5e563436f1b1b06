"""Mistakes in a study file: each ends in one line that says it, below the user's own traceback."""

from pathlib import Path

import pytest

from tautune import search_spaces

MISTAKES: dict[str, tuple[str, list[str], str]] = {
    "raises": ("x = 1\n1 / 0\n", ["mine.py", "line 2"], "mine.py cannot be used: ZeroDivisionError: division by zero"),
    "raises in a helper": (
        "import bad_helper\n",
        ["mine.py", "line 1", "bad_helper.py", "line 2"],
        "mine.py cannot be used: KeyError: 'x'",
    ),
    "wrong syntax": ("x = 1\ndef f(:\n", ["line 2", "def f(:"], "mine.py cannot be used: SyntaxError: invalid syntax"),
    "several lines": ("raise ValueError('one\\ntwo')", ["line 1", "two"], "mine.py cannot be used: ValueError: one"),
    "not text": ("x = '\udcff'\n", [], "mine.py cannot be used: SyntaxError"),
    "ends the program": ("import sys\nsys.exit(0)\n", ["line 2"], "it ends the program with sys.exit() as soon as"),
    "missing module": ("import nowhere_at_all", ["line 1"], "ModuleNotFoundError: No module named 'nowhere_at_all'"),
    "without a study": (
        "x = 1",
        [],
        "must set STUDY to a StabilityStudy, TuningStudy or LoopStudy, and there",
    ),
    "no study": (
        "STUDY = 1",
        [],
        "must set STUDY to a StabilityStudy, TuningStudy or LoopStudy, not int",
    ),
    "other kind": (
        "from tautune.search_spaces.quadratic import STUDY",
        [],
        "mine.py is a StabilityStudy: use `tautune sweep` or `tautune grid` or `tautune probe` or `tautune edge`",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_study_file_ends_in_one_line_that_says_it(project: Path, mistake: str) -> None:
    code, shown, last = MISTAKES[mistake]
    (project / "bad_helper.py").write_text("names = {}\nnames['x']\n")
    (project / "mine.py").write_bytes(code.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=r".") as raised:
        search_spaces.find_tuning(str(project / "mine.py"))
    *before, line = str(raised.value).splitlines()
    assert last in line
    position = 0
    for part in shown:
        position = "\n".join(before).index(part, position)
    assert "importlib" not in "\n".join(before)


def test_a_tuning_study_is_not_measured(project: Path) -> None:
    with pytest.raises(ValueError, match=r"mine.py is a TuningStudy: use `tautune tune`"):
        search_spaces.find(str(project / "mine.py"))
