"""Displays a grid: one live line on a terminal or a line after every tenth elsewhere, then the final table."""

import time

from rich.console import Console
from rich.table import Table

from tautune.analysis.grids import DelayRow, GridSummary
from tautune.commands.fitted_table import Column, fitted_table, print_whole
from tautune.commands.pace import Pace, until
from tautune.commands.screen import OnScreen, Screen
from tautune.records.storage import typed
from tautune.runners.listeners import GridListener

RANKS = {
    "best η": 0,
    "its loss": 2,
    "its accuracy": 3,
    "largest η without divergence": 1,
    "theory's η": 1,
    "diverged": 4,
}
"""The columns of a grid's table with their ranks: those of the highest are left out first on a narrow screen."""


class GridDisplay(OnScreen, GridListener):
    """Prints what a grid reports."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen)
        self.pace = Pace()
        self.points = self._tenths = self._done = 0
        self._known = ""

    def begun(self, points: int) -> None:
        """Takes in how many points are to be trained."""
        self.points = points

    def trained(self, done: int, diverged: int, at_once: int) -> None:
        """Shows how many points are done and how long the rest will take at this rate."""
        self.pace.did(done - self._done)
        self._done = done
        self._known = f"{diverged} diverged · {f'{at_once} at once' if at_once > 1 else 'one after another'}"
        self.screen.doing(self._line)
        if 10 * done // self.points > self._tenths and not self.screen.moves:
            self._tenths = 10 * done // self.points
            self.say(self._line())

    def concluded(self, grid: GridSummary) -> None:
        """Prints the table, which has a row for each delay."""
        self.screen.doing("ending Ray")
        print_whole(self.console, grid_table(grid, self.console))

    def ended(self, grid: GridSummary) -> None:
        """Prints where the results are and how long the command took."""
        self.screen.end()
        seconds = time.monotonic() - self.screen.started
        assert grid.path is not None
        self.say(f"{typed(grid.path)}: points.csv, grid.json, grid.png")
        self.say(f"it took {seconds:.1f} s, Ray's start included")

    def _line(self) -> str:
        left = until(self.pace.seconds_left(self.points - self._done))
        rate = self.pace.words("points")
        return f"{self._done} of {self.points} points{left} · {self._known}{f' · {rate}' if rate else ''}"


def grid_table(grid: GridSummary, console: Console) -> Table:
    """Returns the table that `tautune grid` prints at its end."""
    cells = [_cells(row) for row in grid.rows]
    columns = [Column("delay τ", [str(row.delay) for row in grid.rows], justify="right")]
    for number, (heading, rank) in enumerate(RANKS.items()):
        columns.append(Column(heading, [row[number] for row in cells], rank=rank, justify="right"))
    return fitted_table(columns, console, title=f"{grid.study}: training at every delay and learning rate")


def _cells(row: DelayRow) -> list[str]:
    found = (row.best_learning_rate, row.best_loss, row.best_accuracy, row.largest_learning_rate)
    numbers = ["-" if value is None else f"{value:.4g}" for value in found]
    return [*numbers, f"{row.theory:.4g}", f"{row.diverged} of {row.points}"]
