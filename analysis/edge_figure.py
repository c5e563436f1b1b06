"""Draws trainings that were followed to their edge of stability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tautune.analysis.figure_style import FAINT, INK, RULE, label_ends, log_axis, new_figure, series, styled
from tautune.analysis.method_names import in_words

if TYPE_CHECKING:
    from tautune.analysis.edges import EdgePoint, Edges

SHOWN = (0.05, 5.0)
"""Ratios between which a curve is drawn, at most."""
NEAR = 0.03
"""Distance from the edge within which a training counts as being there."""


@styled
def edge_figure(edges: Edges) -> Figure:
    """Returns a figure of η λ over the delay's threshold against steps, and of what it settles at, over the delay."""
    figure = new_figure(width=11.0)
    curves, ends = figure.subplots(1, 2, width_ratios=(2, 1))
    figure.suptitle(_title(edges), x=0.01, ha="left")
    _ends(ends, edges)
    _curves(curves, edges)
    return figure


@styled
def curves_figure(edges: Edges) -> Figure:
    """Returns the first panel by itself: η λ over the delay's threshold against steps."""
    figure = new_figure()
    _curves(figure.subplots(), edges)
    return figure


@styled
def settled_figure(edges: Edges) -> Figure:
    """Returns the second panel by itself: what η λ over the threshold settles at, over the delay."""
    figure = new_figure(height=3.2)
    _ends(figure.subplots(), edges)
    return figure


def _title(edges: Edges) -> str:
    decay = "" if edges.decay is None else f", β₂ = {edges.decay:g}"
    return f"{edges.study}: {in_words(edges.optimizer)}{decay}, full batch, from random weights"


def draw_edge(axes: Axes) -> None:
    """Draws the edge, and the band around it."""
    axes.axhspan(1 - NEAR, 1 + NEAR, color=RULE)
    axes.axhline(1, color=INK, linestyle="--", linewidth=1)


def draw_settled(axes: Axes, x: float, point: EdgePoint, style: dict[str, Any]) -> None:
    """Draws a point's median late in training, with the range of its seeds."""
    assert point.ratio is not None
    spread = [
        [point.ratio - min(point.lowest or point.ratio, point.ratio)],
        [max(point.highest or point.ratio, point.ratio) - point.ratio],
    ]
    fill: Any = "none" if point.unfinished else "full"
    bar: dict[str, Any] = {"capsize": 4, "ecolor": FAINT, "linestyle": "none", "fillstyle": fill}
    axes.errorbar([x], [point.ratio], yerr=spread, **(bar | style))


def _curves(axes: Axes, edges: Edges) -> None:
    draw_edge(axes)
    ends: list[tuple[float, float, str]] = []
    colours = []
    for place, delay in enumerate(sorted({curve.delay for curve in edges.curves})):
        own = [curve for curve in edges.curves if curve.delay == delay]
        colour = series(place)["color"]
        for curve in own:
            axes.plot(curve.steps, curve.ratios, color=colour, linewidth=0.9, alpha=0.85)
        last = [curve for curve in own if curve.ratios]
        if last:
            ends.append((last[0].steps[-1], min(max(last[0].ratios[-1], SHOWN[0]), SHOWN[1]), f"τ = {delay}"))
            colours.append(colour)
    ratios = [ratio for curve in edges.curves for ratio in curve.ratios if ratio > 0] or [1.0]
    low, high = max(SHOWN[0], 0.9 * min(ratios)), min(SHOWN[1], max(1.1 * max(ratios), 1.5))
    kind = "preconditioned λ" if edges.preconditioned else "λ"
    axes.set(xlabel="steps", ylabel=f"η {kind} / the delay's threshold", ylim=(low, high))
    log_axis(axes, "y", low, high)
    label_ends(axes, ends, colours)


def _ends(axes: Axes, edges: Edges) -> None:
    """Draws each point's median late in training, with the range of its seeds."""
    found = [point for point in edges.points if point.ratio is not None]
    delays = sorted({point.delay for point in edges.points})
    draw_edge(axes)
    for point in found:
        place = delays.index(point.delay)
        draw_settled(axes, place, point, series(place))
    axes.set_xticks(range(len(delays)), [str(delay) for delay in delays])
    axes.set(xlabel="delay τ, steps", ylabel="median, last quarter of the steps")
    hollow = "; hollow: not at its end yet" if any(point.unfinished for point in found) else ""
    axes.set_title(f"bars: range of the seeds; band: ± {100 * NEAR:g} %{hollow}", fontsize="small")
