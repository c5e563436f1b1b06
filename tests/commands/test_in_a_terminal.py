"""The command in a pseudo-terminal, as a user has it: the first word, every frame, Ctrl-C at three moments, the end."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pyte
import pytest

pytestmark = pytest.mark.process

SECONDS = 240.0
"""Seconds in which a frame has to come on a busy machine."""
SWEEP = ("sweep", "quadratic", "--delays", ",".join(map(str, range(40))), "--no-departures")


class Run:
    """`tautune` in a pseudo-terminal, whose frames are read as they come.

    COLUMNS and LINES would speak louder than the terminal's size: readline, where pytest has imported it, sets them for
    the processes that run tests in parallel.
    """

    def __init__(self, *arguments: str, folder: Path, columns: int = 80, lines: int = 24, **environment: str) -> None:
        self.written = b""
        self.frames = list[list[str]]()
        self.screen = pyte.HistoryScreen(columns, lines, history=1000)
        self.stream = pyte.ByteStream(self.screen)
        command = [sys.executable, "-m", "tautune", *arguments]
        sizeless = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        environment = sizeless | {"TERM": "xterm-256color", "TAUTUNE_CACHE": str(folder / "cache")} | environment
        self.process, self.terminal = pty.fork()
        if not self.process:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell that runs the tests in its background ignores it
            os.execve(sys.executable, command, environment)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.code: int | None = None

    @property
    def text(self) -> str:
        """Returns what is on the screen, and what has left it at its top."""
        past = ("".join(line[column].data for column in sorted(line)) for line in self.screen.history.top)
        return "\n".join(line.rstrip() for line in (*past, *self.screen.display))

    def until(self, true: Callable[[str], object]) -> None:
        """Reads until the screen is so."""
        end = time.monotonic() + SECONDS
        while not true(self.text):
            assert self.code is None, self.text
            assert time.monotonic() < end, self.text
            self._read()

    def ended(self) -> str:
        """Waits for the end, and returns what is left on the screen."""
        end = time.monotonic() + SECONDS
        while self.code is None:
            assert time.monotonic() < end, self.text
            self._read()
        os.close(self.terminal)
        return re.sub(r"\n+", "\n", self.text).strip()

    def ctrl_c(self) -> None:
        os.write(self.terminal, b"\x03")

    def _read(self) -> None:
        """Takes in what has come; Ray's processes may hold the terminal for longer than the command."""
        ended, status = os.waitpid(self.process, os.WNOHANG)
        while select.select([self.terminal], [], [], 0.05)[0]:
            try:
                came = os.read(self.terminal, 65536)
            except OSError:  # nobody holds it any more
                break
            self.written += came
            self.stream.feed(came)
        self.frames.append([line.rstrip() for line in self.screen.display if line.strip()])
        if ended:
            self.code = os.waitstatus_to_exitcode(status)


def test_what_is_refused_has_one_line_and_nothing_moves_on(tmp_path: Path) -> None:
    run = Run("tune", "digits", folder=tmp_path, columns=300)
    run.until(lambda text: re.search(r"\d:\d\d starting", text))
    assert run.ended().splitlines()[0].startswith("tautune: study digits is for `tautune sweep`, `tautune grid`")
    assert run.code == 2
    assert not run.screen.cursor.hidden


def test_ctrl_c_while_modules_are_imported(tmp_path: Path) -> None:
    run = Run(*SWEEP, "--output", str(tmp_path / "out"), folder=tmp_path)
    run.until(lambda text: re.search(r"\d:\d\d starting", text))
    run.ctrl_c()
    assert "tautune: stopped" in run.ended()  # and how to go on, if it had begun by then
    assert run.code == 130
    assert not run.screen.cursor.hidden


@pytest.mark.timeout(400)  # on a busy machine Ray alone can take minutes
def test_ctrl_c_in_the_middle_leaves_what_was_measured_and_a_command_to_copy(tmp_path: Path) -> None:
    run = Run(*SWEEP, "--output", str(tmp_path / "out"), folder=tmp_path, columns=40)
    run.until(lambda text: re.search(r"\d+ of 40 measured", text))
    assert sum(bool(line.strip()) for line in run.screen.display) <= 24
    run.ctrl_c()
    run.until(lambda text: "stopping; what is finished" in text)
    left = run.ended()
    assert run.code == 130
    assert "stopping" not in left  # nor anything else that moved
    assert " running" not in left
    command = f"  tautune {' '.join(SWEEP)} --output {tmp_path / 'out'}"
    assert left.replace("\n", "").endswith(f"To go on:{command}")  # broken by the terminal alone, which copies it whole
    assert not run.screen.cursor.hidden


@pytest.mark.timeout(400)
def test_without_colours_every_frame_fits_and_the_end_is_a_table_with_the_next_command(tmp_path: Path) -> None:
    asked = (
        "sweep",
        "quadratic",
        "--delays",
        "0,1,2,4,8,16,24,32",
        "--no-departures",
        "--output",
        str(tmp_path / "out"),
    )
    run = Run(*asked, folder=tmp_path, columns=120, lines=40, NO_COLOR="1")
    left = run.ended()
    assert run.code == 0, left
    moving = [frame for frame in run.frames if frame and re.match(r"\S \d+:\d\d ", frame[-1])]
    assert re.search("starting", moving[0][-1])
    assert any("of 8 measured" in frame[-1] for frame in moving)
    assert all(len(frame) <= 40 for frame in run.frames)
    assert all(len(line) <= 120 - 4 for frame in moving for line in frame[-1:])
    assert not re.findall(rb"\x1b\[(?:\d+;)*(?:3[0-7]|38|9[0-7]|4[0-7]|48|10[0-7])(?:;\d+)*m", run.written)
    assert left.endswith(f"next:\n  tautune board {tmp_path / 'out'}")
    assert not run.screen.cursor.hidden
