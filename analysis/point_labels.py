"""Numbers beside points, which stay within their panel and off one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.text import Text

from tautune.analysis.figure_style import BEHIND

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLACES = ((5, 5, "left", "bottom"), (-5, -5, "right", "top"))
"""Where a number may stand, the best place first: its distances from the point, in points, and its corner there."""

ROOM = 4.0
"""Distance of a number from the panel's ends at least, in dots: a browser's letters are a little wider."""


def label_points(axes: Axes, points: Sequence[tuple[float, float, str]]) -> None:
    """Writes a number beside each point; one for which there is no room is left out.

    Args:
        axes: of a figure that is complete, with its final limits.
        points: x, y and the text.
    """
    axes.get_figure(root=True).draw_without_rendering()  # type: ignore[union-attr]
    panel = axes.get_window_extent().padded(-ROOM)
    taken = [Text.get_window_extent(text) for text in axes.texts if text.get_text()]
    for x, y, words in points:
        for right, up, across, along in PLACES:
            label = axes.annotate(
                words, (x, y), (right, up), textcoords="offset points", ha=across, va=along, bbox=BEHIND, zorder=3
            )
            box = label.get_window_extent()
            within = panel.x0 <= box.x0 and box.x1 <= panel.x1 and panel.y0 <= box.y0 and box.y1 <= panel.y1
            if within and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            label.remove()
