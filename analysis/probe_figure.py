"""Draws a probe: up to which learning rate it is stable at each delay, and how far its batches differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tautune.analysis.delay_axis import delay_axis
from tautune.analysis.figure_style import (
    BLUE,
    FAINT,
    INK,
    QUIET,
    RULE,
    VERMILLION,
    label_ends,
    log_axis,
    new_figure,
    split,
    styled,
)
from tautune.analysis.point_labels import label_points

if TYPE_CHECKING:
    from tautune.analysis.probe import Probe, ProbeRow

PARTS = 24
"""Delays at which the curve is computed, about; each is a search for the gain margin."""
SHOWN_BEYOND = 4
"""How much farther than the longest delay of the table the curve goes, at most, to show the longest one tolerated."""
SEEN = 1.05
"""Factor between the two curves from which on both are drawn."""
DRAWN = 100
"""Batches that are drawn one by one, at most; of more, as many quantiles."""


class Limit(NamedTuple):
    """What theory says at a fixed delay."""

    delay: int
    mean: float
    """The η at which E x stops being stable."""
    square: float | None
    """The η at which E x² stops being bounded, with the noise between the batches."""

    @property
    def lower(self) -> float:
        """Returns the η below which both hold."""
        return self.mean if self.square is None else min(self.mean, self.square)


def limits(found: Probe) -> list[Limit]:
    """Returns the largest stable learning rates over fixed delays, up to the longest one that is of interest."""
    fixed = [row.delay for row in found.rows if isinstance(row.delay, int)]
    longest = max(*fixed, found.loop.delay.maximum, SHOWN_BEYOND)
    if longest < (tolerated := found.largest_delay or 0) <= SHOWN_BEYOND * longest:
        longest = tolerated
    longest += max(1, longest // 4)  # so that the last mark is not at the edge
    spread = np.geomspace(1, longest, PARTS).round().astype(int).tolist()
    turn = [] if found.largest_delay is None else [found.largest_delay, found.largest_delay + 1]
    wanted = {0, *spread, *fixed, *(delay for delay in turn if delay <= longest)}
    return [_limit(found, delay) for delay in sorted(wanted)]


def _limit(found: Probe, delay: int) -> Limit:
    loop, λ, r = replace(found.loop, delay=delay), found.sharpness, found.noise
    return Limit(delay, loop.threshold / λ, loop.mean_square_threshold(r) / λ if r else None)


@styled
def probe_figure(found: Probe) -> Figure:
    """Returns `limits_figure` with a title."""
    title = f"{found.study}: {found.optimizer} where it stands, λ = {found.sharpness:.4g}"
    return limits_figure(found, limits(found), title)


@styled
def limits_figure(found: Probe, curve: Sequence[Limit], title: str = "") -> Figure:
    """Returns the largest stable learning rate against the delay, and the one that the training has.

    Args:
        curve: the probe's `limits`, which take longer than to draw them.
        title: above it.
    """
    figure = new_figure()
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    axes = figure.subplots()
    delays, lower = [limit.delay for limit in curve], [limit.lower for limit in curve]
    η = found.learning_rate
    apart = bool(found.noise) and max(limit.mean / limit.lower for limit in curve) > SEEN
    every = [*lower, *(row.limit for row in found.rows), *([η] if η else [])]
    every += [limit.mean for limit in curve] if apart else []
    room = max(1.6, (max(every) / min(every)) ** 0.1)  # for a number below the lowest point
    low, high = min(every) / room, max(every) * room
    delay_axis(axes, _written(found, delays[-1]))
    axes.set(xlim=(-0.1, delays[-1]), ylim=(low, high))
    log_axis(axes, "y", low, high)
    axes.fill_between(delays, lower, high, color=RULE, linewidth=0)
    axes.plot(delays, lower, color=INK)
    axes.text(0.985, 0.96, "not stable", transform=axes.transAxes, ha="right", va="top")
    axes.text(0.015, 0.05, "stable", transform=axes.transAxes)
    ends = []
    if apart:
        axes.plot(delays, [limit.mean for limit in curve], "--", color=QUIET, linewidth=1.1)
        ends.append((delays[-1], curve[-1].mean, "if batches were alike"))
    if η:
        _draw_rate(axes, found, η, curve)
        ends.append((delays[-1], η, f"η = {η:.3g} now"))
    numbers = [_draw_row(axes, found, row) for row in found.rows]
    axes.set_ylabel("learning rate η")
    label_ends(axes, ends)
    label_points(axes, numbers)
    return figure


def _written(found: Probe, longest: int) -> set[int]:
    """Returns the delays to write below the figure: those of the table, and powers of two where it has few."""
    fixed = {row.delay for row in found.rows if isinstance(row.delay, int)}
    powers = {2**i for i in range(longest.bit_length())}
    return {0} | fixed | (powers if len(fixed) <= 2 else set())


def _draw_rate(axes: Axes, found: Probe, η: float, curve: Sequence[Limit]) -> None:
    """Draws the training's learning rate: a full line where it is safe, dashes where it is not."""
    start, end = -0.1, curve[-1].delay
    turn = start if found.largest_delay is None else min(_crossing(axes, η, found.largest_delay, curve), end)
    if turn > start:
        axes.plot([start, turn], [η, η], color=BLUE, linewidth=2)
    if turn < end:
        axes.plot([turn, end], [η, η], "--", color=VERMILLION, linewidth=2)


def _crossing(axes: Axes, η: float, largest: int, curve: Sequence[Limit]) -> float:
    """Returns where the curve, as it is drawn, comes below η: between the largest delay that is safe and the next."""
    lower = {limit.delay: limit.lower for limit in curve}
    if largest + 1 not in lower:
        return float(largest)
    scale = axes.xaxis.get_transform()
    before, after = scale.transform(np.array([largest, largest + 1.0]))
    share = np.log(lower[largest] / η) / np.log(lower[largest] / lower[largest + 1])
    return float(scale.inverted().transform(np.array([before + share * (after - before)]))[0])


def _draw_row(axes: Axes, found: Probe, row: ProbeRow) -> tuple[float, float, str]:
    """Draws a row of the table: a disc where the training's learning rate is safe, a cross where it is not.

    Returns:
        Its place, and the number that belongs beside it.
    """
    x = row.delay if isinstance(row.delay, int) else found.loop.delay.mean
    marker, colour = {True: ("o", BLUE), False: ("X", VERMILLION), None: ("D", INK)}[row.safe]
    axes.plot([x], [row.limit], marker, color=colour, markersize=7, zorder=4)
    words = f"{row.limit:.3g}{'' if isinstance(row.delay, int) else ', delays that vary'}"
    return x, row.limit, words


def quantiles(found: Probe) -> list[tuple[float, float]]:
    """Returns the share of the batches up to each of their curvatures over λ, in ascending order."""
    ordered = np.sort(found.batch_curvatures) / found.sharpness
    shares = np.linspace(0, 1, min(len(ordered), DRAWN))
    return [(float(share), float(ratio)) for share, ratio in zip(shares, np.quantile(ordered, shares), strict=True)]


@styled
def spread_figure(found: Probe) -> Figure:
    """Returns the curvatures of the batches over their mean, in ascending order."""
    figure = new_figure(height=3.0)
    axes = figure.subplots()
    axes.axhline(1, color=FAINT, linewidth=2.4)
    shares, ratios = split(quantiles(found))
    axes.plot([100 * share for share in shares], ratios, "o-", color=BLUE, linewidth=1)
    axes.set(xlabel="batches in ascending order, %", ylabel="curvature / λ")
    return figure
