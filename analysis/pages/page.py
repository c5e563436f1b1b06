"""What a report says, as plain records: a page of sections with figures and tables. `html.py` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of numbers and words. `Row.trial` marks the row together with the trial's marks in every figure."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    trials: Sequence[str] | None = None
    """The key of each row's trial, where rows are trials."""
    sortable: bool = False
    on_paper: int | None = None
    """How many of the columns are printed, from the first one on; None for all of them."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure with what a reader who cannot see it needs: what it shows, and the numbers."""

    name: str
    """Name of its files, and its address on the page; lowercase, with hyphens."""
    title: str
    says: str
    """What it shows and how to read it, in a sentence or two."""
    figure: Figure
    table: Table | None = None
    """The data behind it; None where they stand in the page's table of trials."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a page under a heading."""

    title: str
    text: Sequence[str] = ()
    """Paragraphs."""
    commands: Sequence[str] = ()
    """Commands to copy, a line each."""
    charts: Sequence[Chart] = ()
    table: Table | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """A report."""

    title: str
    verdict: str
    """What came out, in a sentence."""
    facts: dict[str, str] = field(default_factory=dict)
    """Name → value: what stands out most."""
    notes: Sequence[str] = ()
    """What a reader must know before believing it: a run that is not over, lines that were damaged."""
    sections: Sequence[Section] = ()

    @property
    def charts(self) -> list[Chart]:
        """Returns all figures, in their order."""
        return [chart for section in self.sections for chart in section.charts]
