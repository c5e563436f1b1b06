"""What a sweep or a grid has found, in a few lines of Markdown: for those who see its pictures and not its terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tautune.records.provenance import command_line

if TYPE_CHECKING:
    from tautune.analysis.grids import GridSummary
    from tautune.analysis.thresholds import Thresholds


def sweep_verdict(thresholds: Thresholds) -> str:
    """Returns below which learning rate to keep at the longest delay, and how right theory is, with a table."""
    points = thresholds.points
    if not points:
        return f"**{plain(thresholds.study)}**: no threshold is known yet.{_made_by()}"
    rows = "".join(
        f"| {point.delay} | {point.measured:.5g} ± {point.uncertainty:.1g} | {point.predicted:.5g} "
        f"| {100 * point.relative_error:+.2g} % |\n"
        for point in points
    )
    return (
        f"**{plain(thresholds.study)}**: {keep_below(thresholds)}{_made_by()}\n\n"
        f"| delay τ | measured η | theory's η | error |\n|---|---|---|---|\n{rows}"
    )


def keep_below(thresholds: Thresholds) -> str:
    """Returns the sentence for somebody who is about to train: η at the longest delay, and what theory is worth."""
    last = max(thresholds.points, key=lambda point: point.delay)
    return f"At τ = {last.delay} keep η below {rounded_down(last.measured)}; {theorys_worth(thresholds)}."


def rounded_down(value: float) -> str:
    """Returns a positive number in three significant digits, none of which makes it larger than it is."""
    step = 10.0 ** (math.floor(math.log10(value)) - 2)
    return f"{math.floor(value / step * (1 + 1e-12)) * step:.3g}"


def theorys_worth(thresholds: Thresholds) -> str:
    """Returns whether theory is right, and by how much it is off: theory is right to 0.0002 %.

    Theory counts as right if it lies within a percent, or three uncertainties, at every delay.
    """
    points = thresholds.points
    trusted = all(round(abs(p.relative_error), 4) <= max(0.01, 3 * p.uncertainty / p.predicted) for p in points)
    return f"theory is {'right to' if trusted else 'off by up to'} {within(thresholds)}"


def within(thresholds: Thresholds) -> str:
    """Returns the largest error of theory in percent: 0.0002 %."""
    return f"{100 * max((abs(p.relative_error) for p in thresholds.points), default=0.0):.2g} %"


def grid_verdict(grid: GridSummary) -> str:
    """Returns the best learning rate of a grid."""
    best = grid.best
    if best is None:
        return f"**{plain(grid.study)}**: training diverged at every delay and learning rate.{_made_by()}"
    return (
        f"**{plain(grid.study)}**: the smallest loss, {best.best_loss:.4g}, is at τ = {best.delay} and "
        f"η = **{best.best_learning_rate:.3g}**. Theory's largest η there is {best.theory:.3g}.{_made_by()}"
    )


def _made_by() -> str:
    command = command_line()
    return f"\n\n    {command}" if command else ""


def plain(text: str) -> str:
    """Returns a text in one line that Markdown and HTML leave as it is."""
    return "".join(f"&#{ord(letter)};" if letter in "\\`*_{}[]<>#|&~" else letter for letter in " ".join(text.split()))
