"""Displays trainings on their way to the edge: one line that moves, or a line after every tenth; then a table."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tautune.analysis.edges import EdgePoint, Edges
from tautune.analysis.method_names import in_words
from tautune.commands.fitted_table import Column, fitted_table, print_whole
from tautune.commands.pace import Pace, until
from tautune.commands.screen import OnScreen, Screen
from tautune.records.storage import typed
from tautune.runners.listeners import EdgeListener

if TYPE_CHECKING:
    from tautune.trainables.edge.following import Sample

RANKS = {"η": 0, "ηλ / threshold": 0, "of the seeds": 1, "still changing": 2, "diverged": 1}
"""The columns of the table with their ranks: those of the highest are left out first on a narrow screen."""
SO_FAR = "so far"
"""What stands beside a ratio some of whose trainings have not come to their end."""


class EdgeDisplay(OnScreen, EdgeListener):
    """Prints what is reported."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen)
        self.pace = Pace()
        self.steps = self.rest = self._done = self._tenths = 0

    def begun(self, trainings: int, steps: int) -> None:
        """Takes in how many steps are to be made."""
        self.steps, self.rest = steps, trainings * steps

    def seen(self, samples: "Sequence[Sample]") -> None:
        """Shows how many steps are made and how long the rest will take at this rate."""
        last: dict[object, int] = {}
        for sample in samples:
            last[sample.run] = max(last.get(sample.run, 0), self.steps if sample.diverged else sample.step)
        made = sum(last.values()) - max(0, len(last) * self.steps - self.rest)
        self.pace.did(made - self._done)
        self._done = made
        self.screen.doing(self._line)
        if 10 * made // self.rest > self._tenths and not self.screen.moves:
            self._tenths = 10 * made // self.rest
            self.say(self._line())

    def concluded(self, edges: Edges) -> None:
        """Prints the table, which has a row for each delay and learning rate."""
        self.screen.doing("ending Ray")
        print_whole(self.console, edge_table(edges, self.console))
        unfinished = sum(point.unfinished for point in edges.points)
        if unfinished:
            self.say(
                f"{SO_FAR}: {unfinished} of the {len(edges.curves)} trainings that have begun are not at their end"
            )

    def ended(self, edges: Edges) -> None:
        """Prints where the results are and how long the command took."""
        self.screen.end()
        seconds = time.monotonic() - self.screen.started
        assert edges.path is not None
        self.say(f"{typed(edges.path)}: curves.csv, edge.json, edge.png")
        self.say(f"it took {seconds:.1f} s, Ray's start included")

    def _line(self) -> str:
        left = until(self.pace.seconds_left(self.rest - self._done))
        rate = self.pace.words("steps")
        return f"{self._done:,} of {self.rest:,} steps{left}{f' · {rate}' if rate else ''}"


def edge_table(edges: Edges, console: Console) -> Table:
    """Returns the table that `tautune edge` prints at its end."""
    cells = [_cells(point) for point in edges.points]
    columns = [Column("delay τ", [str(point.delay) for point in edges.points], justify="right")]
    for number, (heading, rank) in enumerate(RANKS.items()):
        columns.append(Column(heading, [row[number] for row in cells], rank=rank, justify="right"))
    return fitted_table(
        columns, console, title=f"{edges.study}, {in_words(edges.optimizer)}: what late training settles at"
    )


def _cells(point: EdgePoint) -> list[str]:
    if point.ratio is None:
        settled = ["-", "-", "-"]
    else:
        drift = "-" if point.drift is None else f"{100 * point.drift:+.1f} %"
        settled = [f"{point.ratio:.3f}", f"{point.lowest:.3f} to {point.highest:.3f}", drift]
    if point.unfinished:
        settled[0] = f"{settled[0]} {SO_FAR}"
    return [f"{point.learning_rate:.4g}", *settled, f"{point.diverged} of {point.seeds}"]
