"""What a command shows while it works: on a terminal a line that moves, below rows that are cut to the screen's height.

Elsewhere (a pipe, a file, a terminal that cannot move its cursor) nothing moves, and each line has the time before it.
The module imports nothing but Rich, so that the first line is there before the command's own modules are.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from tautune.commands.started import STARTED

Line = str | Callable[[], str]
Rows = Callable[[Console, int], RenderableType]
"""Makes the rows for a console and a number of lines, of which it takes no more."""
SPARE = 4
"""Columns at the right that stay empty: the terminal writes ^C there, which must not begin another line."""
PART = " · "
"""Stands between the parts of the line, the most important of which is the first."""
STOPPING = "stopping; what is finished is kept"


class Screen:
    """A place on the console that begins, changes and ends; what it moved over is blank at the end.

    Args:
        started: `time.monotonic()` from which the time that it shows is counted.
    """

    def __init__(self, console: Console, started: float) -> None:
        self.console, self.started = console, started
        self.moves = console.is_interactive
        self.goes_on = False
        self._line: Line = "starting"
        self._rows: Rows | None = None
        self._stopping = False
        self._spinner = Spinner("dots" if console.encoding.startswith("utf") else "line")
        self._live: Live | None = None

    def begin(self) -> None:
        """Shows the line from now on."""
        self.goes_on = True
        if self.moves and not self._live:
            self._live = Live(self, console=self.console, refresh_per_second=8, transient=True)
            self._live.start(refresh=True)

    def end(self) -> None:
        """Takes the line and the rows away."""
        self.goes_on = False
        if self._live:
            self._line, self._rows = "", None
            self._live.stop()
            self._live = None

    def doing(self, line: Line, rows: Rows | None = None) -> None:
        """Shows what is being done now, and what of it there is to see."""
        self._line, self._rows = line, rows

    def say(self, text: str) -> None:
        """Prints a line that stays."""
        when = "" if self.moves or not self.goes_on else f"{datetime.now():%Y-%m-%d %H:%M:%S} "
        self.console.print(when + text, soft_wrap=True, highlight=False, markup=False)

    def stopping(self) -> None:
        """Says at once that the command will end; called in another thread than that of the run."""
        if not self.goes_on or self._stopping:
            return
        self._stopping = True
        if self._live:
            self._live.refresh()
        else:
            self.say(STOPPING)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self._line and not self._stopping:
            return
        if self._rows and (room := options.size.height - 2) > 0:
            yield self._rows(console, room)
        line = self._line if isinstance(self._line, str) else self._line()
        now = time.monotonic()
        words = f"{self._spinner.render(now)} {clock(now - self.started)} {STOPPING if self._stopping else line}"
        yield _fitted(words, max(1, options.max_width - SPARE))


def _fitted(words: str, width: int) -> Text:
    """Returns a line without the last of its parts, as far as they do not fit; cut where the first is too long."""
    while cell_len(words) > width and PART in words:
        words = words.rpartition(PART)[0]
    text = Text(words)
    text.truncate(width, overflow="ellipsis")
    return text


class OnScreen:
    """What every display of a run has in common, before its listener among the base classes."""

    def __init__(self, screen: Screen) -> None:
        self.screen, self.console, self.started = screen, screen.console, screen.started

    def __exit__(self, *_: object) -> None:
        self.screen.end()

    def say(self, text: str) -> None:
        """Prints one line."""
        self.screen.say(text)

    def doing(self, text: str) -> None:
        """Shows what is done now."""
        self.screen.begin()
        self.screen.doing(text)


def clock(seconds: float) -> str:
    """Returns a time as a clock shows it: 0:07, 12:30, 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


_BEGUN: list[Screen] = []
"""The command's screen, if it has one: there is one terminal, and one place on it that moves."""


def begin(*, stderr: bool = False) -> None:
    """Shows that the command has begun."""
    _BEGUN.append(Screen(Console(stderr=stderr), STARTED))
    _BEGUN[0].begin()


def screen(*, stderr: bool = False) -> Screen:
    """Returns the command's screen, or one for a command that has not begun any."""
    return _BEGUN[0] if _BEGUN else Screen(Console(stderr=stderr), STARTED)


def a_screen() -> Screen:
    """Returns a screen for a call from Python."""
    return Screen(Console(), time.monotonic())


@contextmanager
def working(line: str, *, stderr: bool = False) -> Iterator[None]:
    """Shows this line inside, and nothing at the end."""
    shown = screen(stderr=stderr)
    shown.begin()
    shown.doing(line)
    try:
        yield
    finally:
        shown.end()


def end() -> None:
    """Takes away what moves, before something is printed that stays."""
    for begun in _BEGUN:
        begun.end()


def stopping() -> None:
    """Says that the command will end soon."""
    for begun in _BEGUN:
        begun.stopping()
