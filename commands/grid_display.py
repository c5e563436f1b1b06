"""Displays a grid: one live line on a terminal or a line after every tenth elsewhere, then the final table."""

import time

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tautune.analysis.grids import DelayRow, GridSummary
from tautune.runners.listeners import GridListener

HEADINGS = (
    "delay τ",
    "best η",
    "its loss",
    "its accuracy",
    "largest η without divergence",
    "theory's η",
    "diverged",
)


class GridDisplay(GridListener):
    """Prints what a grid reports.

    Args:
        started: `time.monotonic()` at the command's start, from which its duration is computed.
    """

    def __init__(self, console: Console, started: float) -> None:
        self.console, self.started = console, started
        self.points = self._tenths = 0
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._begun = time.monotonic()

    def __enter__(self) -> "GridDisplay":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        """Prints one line."""
        self.console.print(text, highlight=False, soft_wrap=True)

    def begun(self, points: int) -> None:
        """Starts counting time and points."""
        self.points, self._begun = points, time.monotonic()

    def trained(self, done: int, diverged: int, at_once: int) -> None:
        """Shows how many points are done and how long the rest will take at this rate."""
        seconds = time.monotonic() - self._begun
        left = seconds / done * (self.points - done)
        together = f"{at_once} at once" if at_once > 1 else "one after another"
        line = f"{done} of {self.points} points, {diverged} diverged, {together}; {left:.0f} s left"
        if self._live:
            self._live.update(line)
        elif 10 * done // self.points > self._tenths:
            self._tenths = 10 * done // self.points
            self.say(line)

    def concluded(self, grid: GridSummary) -> None:
        """Prints the table, which has a row for each delay."""
        if self._live:
            self._live.stop()
        self.console.print(grid_table(grid))

    def ended(self, grid: GridSummary) -> None:
        """Prints where the results are and how long the command took."""
        seconds = time.monotonic() - self.started
        self.say(f"{grid.path}: points.csv, grid.json, grid.png; {seconds:.1f} s, Ray's start included")


def grid_table(grid: GridSummary) -> Table:
    """Returns the table that `tautune grid` prints at its end."""
    table = Table(title=f"{grid.study}: training at every delay and learning rate")
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    for row in grid.rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: DelayRow) -> list[str]:
    found = (row.best_learning_rate, row.best_loss, row.best_accuracy, row.largest_learning_rate)
    numbers = ["-" if value is None else f"{value:.4g}" for value in found]
    return [str(row.delay), *numbers, f"{row.theory:.4g}", f"{row.diverged} of {row.points}"]
