"""Tables that fit: a row is one line, and where a terminal is narrow the columns that matter least are left out."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

GAP = 2
"""Columns between two cells."""
HEADING_WIDTH, LONGEST_WORD = 10, 16
"""Width of a heading above narrow cells, which is written in several lines, and of a word in it that stays whole."""
ENDLESS = 10_000
"""Width in columns of what is no terminal."""


@dataclass(frozen=True)
class Column:
    """A heading, and what is below it in each row."""

    heading: str
    cells: Sequence[str | Text]
    rank: int = 0
    """Columns of a higher rank are left out first; those of rank 0 stay."""
    justify: Literal["left", "right"] = "left"
    bends: bool = False
    """Whether its cells, which are words, take several lines where even the columns that stay do not fit."""

    @property
    def lines(self) -> list[str]:
        """Returns the heading in lines."""
        own = max((_width(cell) for cell in self.cells), default=0)
        words = self.heading.replace("_", " ")
        longest = min(LONGEST_WORD, max(map(len, words.split()), default=0))
        return textwrap.wrap(words, max(own, HEADING_WIDTH, longest)) if len(words) > own else [self.heading]

    @property
    def width(self) -> int:
        return max(0, *(cell_len(line) for line in self.lines), *(_width(cell) for cell in self.cells))


def headings_height(*headings: str) -> int:
    """Returns the lines that headings take at most."""
    return max(len(Column(heading, []).lines) for heading in headings)


def _width(cell: str | Text) -> int:
    return cell_len(cell) if isinstance(cell, str) else cell.cell_len


def fitted_table(
    columns: Sequence[Column],
    console: Console,
    *,
    best: int | None = None,
    room: int | None = None,
    title: str = "",
    gap: int = GAP,
) -> Table:
    """Returns a table of the columns that fit into the console.

    Args:
        best: number of the row that stands out.
        room: lines that it may take, its headings included; None for all that it has.
        gap: columns of the console between two cells.
    """
    kept = _fitting(columns, console.width if console.is_terminal else ENDLESS, gap)
    heights = [len(column.lines) for column in kept]
    table = Table(
        box=None,
        padding=(0, gap, 0, 0),
        pad_edge=False,
        show_edge=False,
        title=title or None,
        title_justify="left",
        title_style="bold",
    )
    for column in kept:
        table.add_column("\n".join(column.lines), justify=column.justify, no_wrap=not column.bends, overflow="fold")
    count = max((len(column.cells) for column in kept), default=0)
    rows = range(count) if room is None else range(min(count, max(0, room - max(heights, default=0))))
    for row in rows:
        table.add_row(*(column.cells[row] for column in kept), style="bold" if row == best else None)
    return table


def _fitting(columns: Sequence[Column], width: int, gap: int) -> list[Column]:
    kept: list[Column] = []
    left = width + gap
    for column in sorted(columns, key=lambda column: column.rank):
        left -= column.width + gap
        if column.rank and left < 0:
            break
        kept.append(column)
    return [column for column in columns if any(column is one for one in kept)]


def print_words(console: Console, words: str | Text, *, style: str | None = None) -> None:
    """Prints a sentence, which is broken between its words on a terminal and nowhere else."""
    console.print(words, style=style, soft_wrap=not console.is_terminal, highlight=False, markup=False)


def print_whole(console: Console, table: Table) -> None:
    """Prints a table: what is too long for a terminal is broken, and nothing is cut.

    Where there is no terminal, there are no lines around the cells, and none is broken. The title may be wider than the
    table.
    """
    width = console.width
    if table.title:
        print_words(console, str(table.title), style="bold")
        table.title = None
    for column in table.columns:
        column.overflow = "fold"
    if not console.is_terminal:
        console.width, table.box, table.title_justify, table.caption_justify = ENDLESS, None, "left", "left"
    console.print(table)
    console.width = width
