"""What TensorBoard is given to read, of one run and of several, old and new, many trials and damaged events."""

import json
import os
from pathlib import Path

import pytest

from tautune.records.board_view import IN_ALL, BoardView
from tautune.records.event_files import open_events
from tests.records.test_event_files import damaged, file_of, point


@pytest.fixture
def view(tmp_path: Path) -> Path:
    (tmp_path / "view").mkdir()
    return tmp_path / "view"


def write(folder: Path, *names: str) -> None:
    events = open_events(folder)
    for name in names:
        events.append(name, [point(1)])
    events.close()


def shown(view: Path) -> list[str]:
    """Returns the names that have events."""
    found = {os.path.relpath(place, view) for place, _, files in os.walk(view, followlinks=True) if files}
    return sorted(found)


def test_a_run_is_shown_by_the_names_of_its_trials(tmp_path: Path, view: Path) -> None:
    write(tmp_path / "run", "study", "01 η=0.1", "02 η=0.2")
    (tmp_path / "run" / "trials" / "01").mkdir(parents=True)
    (
        tmp_path / "run" / "trials" / "01" / "events.out.tfevents.1"
    ).touch()  # of an earlier version: they are in the board
    board = BoardView(tmp_path / "run", view)
    assert board.refresh() == []
    assert shown(view) == ["01 η=0.1", "02 η=0.2", "study"]
    write(tmp_path / "run", "03 η=0.3")
    board.refresh()
    assert shown(view) == ["01 η=0.1", "02 η=0.2", "03 η=0.3", "study"]


def test_several_runs_are_shown_by_their_folders_and_an_old_one_as_it_is(tmp_path: Path, view: Path) -> None:
    write(tmp_path / "results" / "tuned", "01")
    write(tmp_path / "results" / "more" / "swept", "measured")
    old = tmp_path / "results" / "old" / "trials" / "delay=0_seed=0"
    old.mkdir(parents=True)
    (old / "events.out.tfevents.1.host").write_bytes(b"")
    BoardView(tmp_path / "results", view).refresh()
    assert shown(view) == ["more/swept/measured", "old/trials/delay=0_seed=0", "tuned/01"]


def test_an_old_run_alone(tmp_path: Path, view: Path) -> None:
    for place in ("trials/01", "summary"):
        (tmp_path / "old" / place).mkdir(parents=True)
        (tmp_path / "old" / place / "events.out.tfevents.1.host").write_bytes(b"")
    BoardView(tmp_path / "old", view).refresh()
    assert shown(view) == ["summary", "trials/01"]


def test_of_many_trials_the_best_are_shown_and_those_that_were(tmp_path: Path, view: Path) -> None:
    run = tmp_path / "run"
    write(run, "study", *(f"{number:02d} η=1" for number in range(1, 31)))
    rows = [{"number": number} for number in range(30, 0, -1)]
    (run / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    board = BoardView(run, view, most=10)
    board.refresh()
    assert shown(view) == [*(f"{number} η=1" for number in range(21, 31)), "study"]
    assert sum(board.left_out.values()) == 20
    (run / "trials.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in sorted(rows, key=lambda r: r["number"]))
    )
    board.refresh()
    assert {"01 η=1", "30 η=1"} <= set(shown(view))
    assert len(shown(view)) == 21


def test_there_are_never_more_names_than_tensorboard_selects(tmp_path: Path, view: Path) -> None:
    for run in range(5):
        write(tmp_path / "results" / f"run{run}", "study", *(f"{number:03d}" for number in range(1, 121)))
    board = BoardView(tmp_path / "results", view)
    board.refresh()
    assert IN_ALL - 5 <= len(shown(view)) <= IN_ALL + 5  # each run has one beside its trials


def test_damaged_events_are_left_out_and_named(tmp_path: Path, view: Path) -> None:
    write(tmp_path / "run", "01", "02")
    file = file_of(tmp_path / "run", "01")
    content = file.read_bytes()
    file.write_bytes(damaged(content, len(content) - 20))
    board = BoardView(tmp_path / "run", view)
    (line,) = board.refresh()
    assert line.startswith(f"{file} is damaged from byte ")
    assert board.refresh() == []
    assert shown(view) == ["01", "02"]
    copy = next((view / "01").iterdir()).read_bytes()
    assert content.startswith(copy)
    assert len(copy) < len(content)


def test_an_empty_folder_shows_nothing(tmp_path: Path, view: Path) -> None:
    (tmp_path / "run").mkdir()
    assert BoardView(tmp_path / "run", view).refresh() == []
    assert shown(view) == []
