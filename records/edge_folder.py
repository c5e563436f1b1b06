"""The folder of trainings that were followed to their edge of stability: curves.csv has a line for each look."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tautune.records.csv_table import as_lines, number_in, read_table, truth_in
from tautune.records.files import write_bytes
from tautune.records.run_folder import RunFolder
from tautune.records.storage import Folder

if TYPE_CHECKING:
    from tautune.trainables.edge.following import Sample  # imports torch, which only the table's rows need

HEADER = ("delay", "learning_rate", "seed", "step", "loss", "sharpness", "threshold", "diverged")
"""The fields of a `Sample`."""


class EdgeFolder(RunFolder):
    """See `RunFolder`."""

    kind = "edge"

    @property
    def table(self) -> Folder:
        """The table of what was seen, curves.csv."""
        return self.path / "curves.csv"

    def samples(self, damaged: list[str] | None = None) -> "list[Sample]":
        """Returns what is in the table, as `read_table` does.

        Args:
            damaged: takes a sentence about each damaged line, which is left out; without it, the first is an error.

        Raises:
            InputError: curves.csv is damaged.
        """
        return list(read_table(self.table, HEADER, _sample, damaged))

    def write(self, samples: "Iterable[Sample]") -> None:
        """Writes the whole table, in the order of the trainings and of their steps."""
        write_bytes(self.table, as_lines([HEADER, *sorted(samples, key=lambda s: (*s.run, s.step))]))


def _sample(cells: list[str]) -> "Sample":
    """Raises ValueError or KeyError if the cells are not a sample."""
    from tautune.trainables.edge.following import Sample

    τ, η, seed, step, loss, λ, threshold, diverged = cells
    gone = truth_in(diverged)
    sharpness, edge = (None, None) if gone else (number_in(λ), number_in(threshold))
    return Sample(int(τ), number_in(η), int(seed), int(step), number_in(loss), sharpness, edge, gone)
