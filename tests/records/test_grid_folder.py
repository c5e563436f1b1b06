from pathlib import Path

import pytest

from tautune.records.errors import InputError
from tautune.records.grid_folder import GridFolder
from tautune.trainables.grid.point import Outcome, Point

ROWS = {
    Point(4, 0.1 + 0.2, 0.9, True, 3): Outcome(0.1, 0.25, False, 100),
    Point(0, 1e-9): Outcome(23.0, 0.0, True, 7),
    Point(9, 1e-9): Outcome(23.0, None, False, 7),
}
CONFIGURATION = {"study": "digits", "steps": 100}


def test_points_come_back_to_the_last_digit(tmp_path: Path) -> None:
    with GridFolder(tmp_path / "out", CONFIGURATION) as folder:
        assert folder.rows() == {}
        folder.write({})
        for row in ROWS.items():
            folder.append([row])
        assert folder.rows() == ROWS
        folder.write(ROWS)
        assert folder.rows() == ROWS
        assert list(folder.rows()) == sorted(ROWS)


def test_a_line_that_a_kill_left_unfinished_is_not_a_point(tmp_path: Path) -> None:
    with GridFolder(tmp_path, CONFIGURATION) as folder:
        folder.write(ROWS)
        content = folder.table.read_bytes()
        for cut in range(content.rfind(b"\n", 0, -1) + 1, len(content)):
            folder.table.write_bytes(content[:cut])
            assert folder.rows() == {p: o for p, o in ROWS.items() if p.delay != 9}


def test_an_accuracy_may_be_absent(tmp_path: Path) -> None:
    with GridFolder(tmp_path, CONFIGURATION) as folder:
        folder.write({})
        with folder.table.open("ab") as file:
            file.write(b"1,0.1,0.0,0,0,1.5,,0,100\n2,0.1,0.0,0,0,1.5,0.0,0,100\n")
        first, second = folder.rows().values()
        assert first.accuracy is None
        assert second.accuracy == 0.0  # as version 0.1.0 wrote it
        before = folder.table.read_bytes()
        folder.write(folder.rows())
        assert folder.table.read_bytes() == before


@pytest.mark.parametrize("line", ["1,0.1,0.0", "1,x,0.0,0,0,1.0,0.5,0,100", "\ufffd"])
def test_a_damaged_table_is_named(tmp_path: Path, line: str) -> None:
    with GridFolder(tmp_path, CONFIGURATION) as folder:
        folder.write(ROWS)
        with folder.table.open("a") as file:
            file.write(f"{line}\n")
        with pytest.raises(InputError, match=r"points.csv is damaged in line 5; remove it, or give another folder"):
            folder.rows()


def test_a_folder_is_one_grids_and_one_runs(tmp_path: Path) -> None:
    with GridFolder(tmp_path, CONFIGURATION) as folder:
        folder.keep_run(runs=[])
        with pytest.raises(InputError, match="is being written by another run"), GridFolder(tmp_path, CONFIGURATION):
            pass
    with pytest.raises(InputError, match="holds a grid with steps = 100, not 200; give another folder"):
        GridFolder(tmp_path, CONFIGURATION | {"steps": 200})
    with GridFolder(tmp_path, CONFIGURATION) as folder:
        assert folder.run["runs"] == []
