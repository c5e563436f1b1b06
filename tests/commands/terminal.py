"""A terminal that remembers what it shows: pyte reads what Rich writes, so that a test sees frames as a user would."""

import io
import threading
import time
from typing import Any

import pyte
from rich.console import Console

from tautune.commands.screen import Screen

SIZES = ((80, 24), (120, 40), (40, 15))
"""Columns and lines of the terminals on which everything must fit."""


class Terminal(io.StringIO):
    """A file that is a terminal: what is written into it moves a cursor."""

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__()
        self.emulated = pyte.HistoryScreen(columns, lines, history=1000)
        self.emulated.set_mode(pyte.modes.LNM)  # the kernel's terminal makes a carriage return of each new line
        self.stream = pyte.Stream(self.emulated)
        self.whole = threading.Lock()  # Rich's own thread draws as well, and half a frame is none

    def write(self, text: str) -> int:
        with self.whole:
            self.stream.feed(text)
        return super().write(text)

    def isatty(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def frame(self) -> list[str]:
        """Returns the lines that are on the screen, without the blank ones at its end."""
        with self.whole:
            return "\n".join(line.rstrip() for line in self.emulated.display).rstrip().split("\n")

    @property
    def scrolled(self) -> int:
        """Returns how many lines have left the screen at its top."""
        return len(self.emulated.history.top)


def screen_of(columns: int, lines: int, **environment: str) -> tuple[Screen, Terminal]:
    """Returns a screen on a terminal of that size, in an environment such as NO_COLOR=1."""
    terminal = Terminal(columns, lines)
    known = {"TERM": "xterm-256color"} | environment
    console = Console(file=terminal, width=columns, height=lines, _environ=known)
    return Screen(console, time.monotonic()), terminal


def refresh(screen: Screen) -> None:
    """Draws now what the screen's own clock would draw in a moment."""
    live: Any = screen._live
    live.refresh()
