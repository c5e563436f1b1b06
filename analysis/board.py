"""Shows the conclusions of a sweep or a grid in TensorBoard: each meaning of the x axis has groups of its own.

What is measured and what theory predicts are two names with the same tags, so that they share every chart.
"""

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tautune.analysis.grids import GridSummary
from tautune.analysis.thresholds import Thresholds
from tautune.analysis.verdicts import grid_verdict, sweep_verdict
from tautune.records.event_files import open_events
from tautune.records.storage import Folder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

VERDICT = "verdict"
"""The name of what is no curve: the words, the pictures, the layout of the charts."""
RATE, AT_BEST, BOUNDS = "1 by delay", "2 at the best η, by delay", "5 bounds, by delay"
"""Groups of tags; those between are a sweep's, see `runners/sweep_board.py`."""
AT_LEAST, AT_MOST = " at least", " at most"
PANEL_INCHES, PANEL_DOTS = (5.0, 3.6), 160
"""Size of a picture's panel, and dots per inch: its letters can be read in a card of 350 pixels."""
Curve = Mapping[int, float | None]
"""Delay → value; None where there is none."""


def show_thresholds(thresholds: Thresholds, folder: Folder) -> None:
    """Writes the thresholds of a sweep, measured and theory's, over the delay, and each panel of the figure."""
    from tautune.analysis.threshold_figure import draw_error, draw_escapes, draw_inverse
    from tautune.records.summaries import histogram

    points = thresholds.points
    spread = {point.delay: point.uncertainty for point in points}
    curves = {
        "measured": _rates({point.delay: point.measured for point in points}, spread),
        "theory": _rates({point.delay: point.predicted for point in points}, {}),
        "theory of a single training": _rates({point.delay: point.typical for point in points}, {}),
        "theory of the mean square": _rates({point.delay: point.mean_square for point in points}, {}),
    }
    curves["measured"][f"{RATE}/theory's error, %"] = {p.delay: 100 * p.relative_error for p in points}
    panels = {"thresholds": draw_inverse, "error": draw_error}
    if any(escape.delay in spread for escape in thresholds.escapes):
        panels["escapes"] = draw_escapes
    late = dict(thresholds.update.drawn) if thresholds.update else {}
    _show(
        folder,
        curves,
        {"largest stable η: measured, predicted": "stable η", "one over it: 1/η": "stable η, inverse"},
        sweep_verdict(thresholds),
        {name: _panel(draw, thresholds) for name, draw in panels.items()},
        [histogram("delays", late)] if late else [],
    )


def _rates(rates: Curve, uncertainty: Mapping[int, float]) -> dict[str, Curve]:
    """Returns learning rates and their inverses by their tags, with the bounds between which each one is."""
    known = {delay: η for delay, η in rates.items() if η}
    low = {delay: η - uncertainty.get(delay, 0.0) for delay, η in known.items()}
    high = {delay: η + uncertainty.get(delay, 0.0) for delay, η in known.items()}
    return {
        f"{RATE}/stable η": known,
        f"{BOUNDS}/stable η{AT_LEAST}": low,
        f"{BOUNDS}/stable η{AT_MOST}": high,
        f"{RATE}/stable η, inverse": _inverse(known),
        f"{BOUNDS}/stable η, inverse{AT_LEAST}": _inverse(high),
        f"{BOUNDS}/stable η, inverse{AT_MOST}": _inverse(low),
    }


def _inverse(rates: Mapping[int, float]) -> Curve:
    return {delay: 1 / η for delay, η in rates.items() if η > 0}


def show_grid(grid: GridSummary, folder: Folder, picture: bytes) -> None:
    """Writes the best and the largest learning rate of a grid at each delay, beside theory's, and its figure."""
    rows = grid.rows
    curves: dict[str, dict[str, Curve]] = {
        "best": {
            **_exactly("η", {row.delay: row.best_learning_rate for row in rows}),
            f"{AT_BEST}/loss": {row.delay: row.best_loss for row in rows},
            f"{AT_BEST}/accuracy": {row.delay: row.best_accuracy for row in rows},
        },
        "largest without divergence": _exactly("η", {row.delay: row.largest_learning_rate for row in rows}),
        "theory": _exactly("η", {row.delay: row.theory for row in rows}),
    }
    _show(folder, curves, {"η: the best, the largest, theory's": "η"}, grid_verdict(grid), {"grid": picture}, [])


def _exactly(name: str, curve: Curve) -> dict[str, Curve]:
    """Returns a curve with bounds that are the curve itself."""
    return {f"{RATE}/{name}": curve} | {f"{BOUNDS}/{name}{which}": curve for which in (AT_LEAST, AT_MOST)}


def show_pareto(picture: bytes, folder: Folder, trials: int) -> None:
    """Adds the Pareto front of so many trials to what a tuning shows."""
    from tautune.records.summaries import event
    from tautune.records.summaries import picture as shown

    events = open_events(folder)
    events.append("study", [event([shown("pictures/pareto", picture)], trials)])
    events.close()


def _show(
    folder: Folder,
    curves: Mapping[str, Mapping[str, Curve]],
    charts: Mapping[str, str],
    verdict: str,
    pictures: Mapping[str, bytes],
    values: list[Any],
) -> None:
    """Writes all of it in the place of what was there.

    Args:
        folder: of the run.
        curves: name → tag → curve.
        charts: title of a chart → name of the curves in it, which have bounds.
        verdict: in Markdown.
        pictures: name → PNG file.
        values: what else is shown.
    """
    from tautune.records.summaries import banded, event, layout, picture, scalars, text

    events = open_events(folder)
    for name, own in curves.items():
        delays = sorted({delay for curve in own.values() for delay in curve})
        steps = [({tag: v for tag, c in own.items() if (v := c.get(delay)) is not None}, delay) for delay in delays]
        if any(numbers for numbers, _ in steps):
            events.replace(name, [event(scalars(numbers), delay) for numbers, delay in steps])
    tags = {t: (f"{RATE}/{c}", f"{BOUNDS}/{c}{AT_LEAST}", f"{BOUNDS}/{c}{AT_MOST}") for t, c in charts.items()}
    shown = [layout(banded("over the delay τ", tags)), text("verdict", verdict), *values]
    events.replace(VERDICT, [event([*shown, *(picture(f"pictures/{name}", png) for name, png in pictures.items())])])
    events.close()


def _panel(draw: "Callable[[Axes, Thresholds], None]", thresholds: Thresholds) -> bytes:
    from tautune.analysis.figure_style import new_figure, styled

    @styled
    def drawn() -> bytes:
        figure = new_figure(*PANEL_INCHES)
        draw(figure.add_subplot(), thresholds)
        return png_of(figure, PANEL_DOTS)

    return drawn()


def png_of(figure: "Figure", dots_per_inch: float) -> bytes:
    """Returns a figure as a PNG file."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=dots_per_inch)
    return picture.getvalue()
