"""The axis of delays: logarithmic from 1 on, with 0 on it, and the delays themselves below it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 16
"""Numbers between the delays 1 and the longest one that do not overprint, about."""


def delay_axis(axes: Axes, delays: Iterable[int]) -> None:
    """Makes the x axis one of delays, with those that there is room for written below it."""
    written = readable(delays)
    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    axes.set_xticks(written, [str(delay) for delay in written])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("delay τ, steps")


def readable(delays: Iterable[int]) -> list[int]:
    """Returns the delays that there is room for, in ascending order; the longest one is among them."""
    downwards = sorted(set(delays), reverse=True)
    least = max(1, *downwards) ** (1 / MOST)
    kept = downwards[:1]
    for delay in downwards[1:]:
        if delay * least <= kept[-1]:
            kept.append(delay)
    return kept[::-1]
