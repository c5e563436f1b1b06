"""What moves on a terminal, frame by frame, and what is printed where nothing may move."""

import io
import re
import time

import pytest
from rich.console import Console
from rich.text import Text

from tautune.commands.screen import STOPPING, Screen, clock
from tests.commands.terminal import SIZES, refresh, screen_of


@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_rows_and_line_fit_and_leave_nothing(columns: int, lines: int) -> None:
    screen, terminal = screen_of(columns, lines)
    print_before = "$ tautune tune digits_mlp"
    screen.console.print(print_before)
    screen.begin()
    assert re.fullmatch(r". 0:00 starting", terminal.frame[-1])
    screen.doing("x" * 200, lambda console, room: Text("\n".join(f"row {number}" for number in range(room))))
    for _ in range(3):
        refresh(screen)
    assert len(terminal.frame) <= lines
    assert terminal.frame[-2] == f"row {lines - 3}"
    assert len(terminal.frame[-1]) <= columns - 4  # where the terminal writes ^C
    screen.say("a line that stays")
    assert terminal.frame[-1].endswith("…")
    screen.end()
    left = [line for line in terminal.frame if line]
    assert left[-1] == "a line that stays"
    assert not any("row" in line for line in left)
    assert not terminal.emulated.cursor.hidden


def test_of_a_line_that_is_too_long_the_last_parts_are_left_out_whole() -> None:
    screen, terminal = screen_of(40, 15)
    screen.begin()
    screen.doing("2 of 20 · ~1:00 left · best 0.9653 ▁▄▆ · 1.45 epochs/s")
    refresh(screen)
    assert re.fullmatch(r". 0:00 2 of 20 · ~1:00 left", terminal.frame[-1])
    screen.end()


def test_a_line_is_asked_for_anew_at_each_frame() -> None:
    screen, terminal = screen_of(80, 24)
    count = iter(range(100))
    screen.begin()
    screen.doing(lambda: f"frame {next(count)}")
    refresh(screen)
    first = terminal.frame[-1]
    refresh(screen)
    assert terminal.frame[-1] != first
    screen.end()


def test_the_word_of_ctrl_c_is_there_at_once_and_once() -> None:
    screen, terminal = screen_of(40, 15)
    screen.begin()
    screen.doing("training")
    screen.stopping()
    assert STOPPING[:28] in terminal.frame[-1]
    screen.doing("something else")
    refresh(screen)
    assert STOPPING[:28] in terminal.frame[-1]
    screen.end()
    assert terminal.frame == [""]


def test_without_colours_there_are_none() -> None:
    screen, terminal = screen_of(80, 24, NO_COLOR="1")
    screen.begin()
    screen.doing("training", lambda console, room: Text("a row", style="green"))
    refresh(screen)
    screen.end()
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|9[0-7])[;m]", terminal.getvalue())


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": "unknown"}])
def test_a_terminal_that_cannot_move_its_cursor_gets_lines_with_their_time(environment: dict[str, str]) -> None:
    screen, terminal = screen_of(80, 24, **environment)
    screen.begin()
    screen.doing("training")
    screen.say("one trial")
    screen.stopping()
    screen.end()
    screen.say("the end")
    first, second, last = terminal.getvalue().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d one trial", first)
    assert second.endswith(STOPPING)
    assert last == "the end"
    assert "\x1b" not in terminal.getvalue()


def test_a_pipe_gets_no_control_characters() -> None:
    pipe = io.StringIO()
    screen = Screen(Console(file=pipe), time.monotonic())
    screen.begin()
    screen.say("x" * 300)
    screen.end()
    assert re.fullmatch(r"[-0-9]{10} [:0-9]{8} x{300}\n", pipe.getvalue())


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (59.9, "0:59"), (754, "12:34"), (3723, "1:02:03")])
def test_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown
