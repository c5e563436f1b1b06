"""What a sweep, a grid or an edge has found, in a few lines of Markdown: for those who do not see its terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tautune.analysis.method_names import listed
from tautune.records.provenance import command_line

if TYPE_CHECKING:
    from tautune.analysis.edges import Edges
    from tautune.analysis.grids import GridSummary
    from tautune.analysis.thresholds import Point, Thresholds


def sweep_verdict(thresholds: Thresholds) -> str:
    """Returns below which learning rate to keep at the longest delay, and how right theory is, with a table."""
    points = thresholds.points
    if not points:
        return f"**{plain(thresholds.study)}**: no threshold is known yet.{_made_by()}"
    rows = "".join(
        f"| {thresholds.called(point.delay)} | {point.measured:.5g} ± {point.uncertainty:.1g} | {point.predicted:.5g} "
        f"| {error_in_percent(point):+.2g} ± {100 * point.uncertainty / point.predicted:.2g} % |\n"
        for point in points
    )
    return (
        f"**{plain(thresholds.study)}**: {keep_below(thresholds)}{_made_by()}\n\n"
        f"| delay τ | measured η | theory's η | error |\n|---|---|---|---|\n{rows}"
    )


def keep_below(thresholds: Thresholds) -> str:
    """Returns the sentence for somebody who is about to train: η at the longest delay, and what theory is worth.

    The threshold may lie anywhere within its uncertainty, so the learning rate to keep below is the lower end.
    """
    last = max(thresholds.points, key=lambda point: point.delay)
    lowest = rounded_down(last.measured - last.uncertainty)
    where = f"At τ = {last.delay}" if thresholds.delay_is_fixed else "With these delays"
    return f"{where} keep η below {lowest}; {theorys_worth(thresholds)}."


def error_in_percent(point: Point) -> float:
    """Returns how far theory is from a best estimate, to four decimals: what is less is of no measurement."""
    return round(100 * point.relative_error, 4) + 0.0  # there is no -0


def rounded_down(value: float) -> str:
    """Returns a number in three significant digits, none of which makes it larger than it is; 0 at the least."""
    if value <= 0:
        return "0"
    step = 10.0 ** (math.floor(math.log10(value)) - 2)
    return f"{math.floor(value / step * (1 + 1e-12)) * step:.3g}"


def theorys_worth(thresholds: Thresholds) -> str:
    """Returns whether theory is right, by how much it is off, and how well the measurements can tell.

    Theory lies within the measurements if at every delay it is nearer to the best estimate than the uncertainty. It
    still counts as right within a percent, or three uncertainties. Where it is not, and steps differ by chance, that is
    since theory's is the threshold of the mean, and a single training grows otherwise.
    """
    points, known = thresholds.points, known_to(thresholds)
    apart = [round(abs(point.relative_error), 4) for point in points]
    bounds = [point.uncertainty / point.predicted for point in points]
    if all(a <= b for a, b in zip(apart, bounds, strict=True)):
        return f"theory lies within the measurements' ± {known}, at most {within(thresholds)} from the best estimates"
    trusted = all(a <= max(0.01, 3 * b) for a, b in zip(apart, bounds, strict=True))
    singles = [abs(point.measured / point.typical - 1) for point in points if point.typical is not None]
    if singles:
        off = f"{within(thresholds)}, and that of a single training by {100 * max(singles):.2g} %"
        return f"theory of the mean is off by up to {off}; the measurements are known to ± {known}"
    if not trusted and points[-1].mean_square is not None:
        why = "since a single training does not grow as the mean does"
        return (
            f"theory of the mean is off by up to {within(thresholds)}, {why}; the measurements are known to ± {known}"
        )
    said = "right to" if trusted else "off by up to"
    return f"theory is {said} {within(thresholds)}, and the measurements are known to ± {known}"


def within(thresholds: Thresholds) -> str:
    """Returns the largest distance of theory from a best estimate in percent: 0.0002 %."""
    return f"{100 * max((abs(p.relative_error) for p in thresholds.points), default=0.0):.2g} %"


def known_to(thresholds: Thresholds) -> str:
    """Returns the largest uncertainty of a measurement in percent of theory's value: 0.24 %."""
    return f"{100 * max((p.uncertainty / p.predicted for p in thresholds.points), default=0.0):.2g} %"


def grid_verdict(grid: GridSummary) -> str:
    """Returns the best learning rate of a grid."""
    best = grid.best
    if best is None:
        return f"**{plain(grid.study)}**: training diverged at every delay and learning rate.{_made_by()}"
    return (
        f"**{plain(grid.study)}**: the smallest loss, {best.best_loss:.4g}, is at τ = {best.delay} and "
        f"η = **{best.best_learning_rate:.3g}**. Theory's largest η there is {best.theory:.3g}.{_made_by()}"
    )


def edge_verdict(edges: Edges) -> str:
    """Returns what trainings at their edge settle at."""
    return f"**{plain(edges.study)}**: {where_it_settles(edges)}{_made_by()}"


def where_it_settles(edges: Edges) -> str:
    """Returns what is settled at, at each delay."""
    settled = [
        f"{p.ratio:.3f} at τ = {p.delay}{' (so far)' if p.unfinished else ''}"
        for p in edges.points
        if p.ratio is not None
    ]
    if not settled:
        return "No training has come to its last quarter without diverging."
    return f"Late in training, ηλ divided by the delay's threshold is {listed(settled)}."


def _made_by() -> str:
    command = command_line()
    return f"\n\n    {command}" if command else ""


def plain(text: str) -> str:
    """Returns a text in one line that Markdown and HTML leave as it is."""
    return "".join(f"&#{ord(letter)};" if letter in "\\`*_{}[]<>#|&~" else letter for letter in " ".join(text.split()))
