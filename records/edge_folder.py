"""The folder of trainings that were followed to their edge of stability: curves.csv has a line for each look."""

import csv
import io
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tautune.records.errors import InputError
from tautune.records.files import write_bytes
from tautune.records.run_folder import RunFolder
from tautune.records.storage import Folder, reading

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

    def samples(self) -> "list[Sample]":
        """Returns what is in the table, without a line that a killed run left unfinished.

        Raises:
            InputError: curves.csv is damaged.
        """
        with reading(self.table):
            content = self.table.read_bytes() if self.table.exists() else b""
        whole = content[: content.rfind(b"\n") + 1].decode(errors="replace")
        found: list[Sample] = []
        for number, cells in enumerate(csv.reader(io.StringIO(whole)), start=1):
            try:
                if number > 1:
                    found.append(_sample(cells))
                elif tuple(cells) != HEADER:
                    raise ValueError
            except (ValueError, KeyError):
                raise InputError(
                    f"{self.table} is damaged in line {number}; remove it, or give another folder"
                ) from None
        return found

    def write(self, samples: "Iterable[Sample]") -> None:
        """Writes the whole table, in the order of the trainings and of their steps."""
        text = io.StringIO()
        rows = [[_cell(value) for value in sample] for sample in sorted(samples, key=lambda s: (*s.run, s.step))]
        csv.writer(text, lineterminator="\n").writerows([HEADER, *rows])
        write_bytes(self.table, text.getvalue().encode())


def _sample(cells: list[str]) -> "Sample":
    """Raises ValueError or KeyError if the cells are not a sample."""
    from tautune.trainables.edge.following import Sample

    τ, η, seed, step, loss, λ, threshold, diverged = cells
    gone = {"0": False, "1": True}[diverged]
    sharpness, edge = (None, None) if gone else (_number(λ), _number(threshold))
    return Sample(int(τ), _number(η), int(seed), int(step), _number(loss), sharpness, edge, gone)


def _number(cell: str) -> float:
    number = float(cell)
    if not math.isfinite(number):
        raise ValueError
    return number


def _cell(value: float | None) -> str:
    return "" if value is None else repr(int(value)) if isinstance(value, bool) else repr(value)
