"""What a sweep or a grid has found, in a few lines of Markdown: for those who see its pictures and not its terminal."""

from tautune.analysis.grids import GridSummary
from tautune.analysis.thresholds import Thresholds
from tautune.records.provenance import command_line


def sweep_verdict(thresholds: Thresholds) -> str:
    """Returns below which learning rate to keep at the longest delay, and how right theory is, with a table."""
    points = thresholds.points
    if not points:
        return f"**{plain(thresholds.study)}**: no threshold is known yet.{_made_by()}"
    last, worst = points[-1], max(abs(point.relative_error) for point in points)
    rows = "".join(
        f"| {point.delay} | {point.measured:.5g} ± {point.uncertainty:.1g} | {point.predicted:.5g} "
        f"| {100 * point.relative_error:+.2g} % |\n"
        for point in points
    )
    return (
        f"**{plain(thresholds.study)}**: at τ = {last.delay} keep η below **{last.measured:.3g}**; theory is right to "
        f"{100 * worst:.2g} %.{_made_by()}\n\n"
        f"| delay τ | measured η | theory's η | error |\n|---|---|---|---|\n{rows}"
    )


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
