"""Shows a grid while it runs: one live line on a terminal, a line every tenth elsewhere."""

import time

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tautune.analysis.grids import GridSummary


class GridProgress:
    """A context in which `say` and `show` may be called."""

    def __init__(self, console: Console, points: int) -> None:
        self.console, self.points = console, points
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._begun = time.monotonic()
        self._tenths = 0

    def __enter__(self) -> "GridProgress":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)

    def show(self, done: int, diverged: int, at_once: int) -> None:
        """The state after a report: points that ended, how many of them diverged, and how many train at once."""
        seconds = time.monotonic() - self._begun
        left = seconds / done * (self.points - done)
        together = f"{at_once} at once" if at_once > 1 else "one after another"
        line = f"{done} of {self.points} points, {diverged} diverged, {together}; {left:.0f} s left"
        if self._live:
            self._live.update(line)
        elif 10 * done // self.points > self._tenths:
            self._tenths = 10 * done // self.points
            self.say(line)


def grid_table(grid: GridSummary) -> Table:
    """What `tautune grid` prints at its end."""
    table = Table(title=f"{grid.study}: training at every delay and learning rate")
    for heading in (
        "delay τ",
        "best η",
        "its loss",
        "its accuracy",
        "largest η not diverged",
        "theory's η",
        "diverged",
    ):
        table.add_column(heading, justify="right")
    for row in grid.rows:
        table.add_row(
            str(row.delay),
            *(_cell(v) for v in (row.best_learning_rate, row.best_loss, row.best_accuracy, row.largest_learning_rate)),
            f"{row.theory:.4g}",
            f"{row.diverged} of {row.points}",
        )
    return table


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
