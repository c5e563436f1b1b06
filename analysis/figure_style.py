"""The one style of all figures: colours that colour-blind readers tell apart, labels beside lines, 300 dots per inch.

The colours are those of Okabe and Ito ("Color Universal Design", 2008) without yellow, which white paper swallows. No
figure tells things apart by colour alone: lines have labels at their ends, and points have shapes.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import offset_copy

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

P = ParamSpec("P")
Drawn = TypeVar("Drawn")
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
INK, QUIET, FAINT, RULE, PAPER = "#1b1b1a", "#5e5e5c", "#b4b4b0", "#e2e2de", "#fefefd"
"""Text; text that is less important; marks that are not the point; lines of the grid; what is behind a label."""
SERIES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, INK)
"""Colours of lines in their order: seven, as many as a sweep has delays by default."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DARK = {
    INK: "#ececea",
    QUIET: "#a9a9a5",
    FAINT: "#666663",
    RULE: "#373735",
    PAPER: "#1c1c1b",
    BLUE: "#4b9fdb",
    VERMILLION: "#f07b3f",
    GREEN: "#1fb98c",
    PURPLE: "#d48fb6",
    ORANGE: "#eab543",
    SKY: "#9fd6f7",
}
"""What each colour is on a dark page."""
MAP = "cividis"
"""Colours of a scale of numbers: made for colour-blind readers (Nuñez, Anderton and Renslow, 2018)."""
WIDTH, HEIGHT = 8.0, 4.2
"""Size of a figure of one panel, in inches."""
LABEL_GAP = 11.0
"""Distance between two labels at least, in points."""
LONGEST_LABEL = 40
"""Letters of a label at most."""
FEWEST, REACH = 5, 2.5
"""Of this number of trials and more, axes of the metric end so many times as far from the best as the median is."""
BEHIND: dict[str, Any] = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.85, "pad": 0.8}
"""What is behind a label, so that lines do not cross it out."""
STEPS = ((1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))
"""Numbers of a decade beside a logarithmic axis: many where it is short, few where it is long."""
DOTS_PER_INCH = 300
TRIALS = "trials:"
"""Begins the name of a group of marks that belong to trials; the trials' keys follow, in the order of the marks."""
SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "axes.prop_cycle": cycler(color=SERIES),
    "figure.facecolor": "white",
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "text.color": INK,
    "text.parse_math": False,  # a name with dollars in it is no formula
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": QUIET,
    "savefig.dpi": DOTS_PER_INCH,
    "svg.fonttype": "none",  # text stays text: it can be searched, read aloud and edited
    "svg.hashsalt": "tautune",  # the same figure is the same file
    "pdf.fonttype": 42,
}


def styled(draw: Callable[P, Drawn]) -> Callable[P, Drawn]:
    """Returns a function that draws, or saves, in this style."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **options: P.kwargs) -> Drawn:
        with matplotlib.rc_context(SETTINGS):  # type: ignore[arg-type]
            return draw(*args, **options)

    return drawn


def new_figure(width: float = WIDTH, height: float = HEIGHT) -> Figure:
    """Returns an empty figure. pyplot would open windows."""
    return Figure(figsize=(width, height), layout="constrained")


def series(place: int) -> dict[str, Any]:
    """Returns the colour and the marker of a line by its place; with eight and more, pairs of them differ."""
    return {"color": SERIES[place % len(SERIES)], "marker": MARKERS[(place + place // len(SERIES)) % len(MARKERS)]}


def split(points: Iterable[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Returns the x and the y of points."""
    every = list(points)
    return [x for x, _ in every], [y for _, y in every]


def log_axis(axes: Axes, which: Literal["x", "y"], low: float, high: float, *, narrow: bool = False) -> None:
    """Makes an axis logarithmic, with plain numbers that do not overprint: 1, 2 and 5 of each decade, or fewer.

    Args:
        axes: of the figure.
        which: its axis.
        low: the smallest number that it must show, above 0.
        high: the largest one.
        narrow: whether the panel is a small one.
    """
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    decades = math.log10(high / low) * (2 if narrow else 1)
    steps = STEPS[: 1 + sum(decades > most for most in (0.8, 1.5, 3))][-1]
    if _ticks(steps, low, high) < 2:  # LogLocator would take to a linear axis' numbers, as many as there are
        steps = next((finer for finer in reversed(STEPS) if _ticks(finer, low, high) >= 2), STEPS[0])
    most = 4 if narrow else 8
    axis.set_major_locator(MaxNLocator(most) if decades < 0.3 else LogLocator(subs=steps, numticks=most + 1))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
    axis.set_minor_formatter(NullFormatter())


def _ticks(steps: Sequence[float], low: float, high: float) -> int:
    """Returns how many of these numbers of each decade lie between two others."""
    decades = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    return sum(low <= step * 10.0**decade <= high for decade in decades for step in steps)


def focused(values: NDArray[np.float64], mode: Literal["max", "min"]) -> tuple[float, float]:
    """Returns the ends of an axis for values of the metric, between which the good ones can be told apart.

    Most trials of a tuning are bad, and some are very bad: the axis ends `REACH` times as far from the best as the
    median is.
    """
    low, high = float(values.min()), float(values.max())
    best, median = (high if mode == "max" else low), float(np.median(values))
    if len(values) >= FEWEST and median != best:
        far = best + REACH * (median - best)
        low, high = (max(low, far), high) if mode == "max" else (low, min(high, far))
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room


def inside(value: float, low: float, high: float, *, log: bool = False) -> float:
    """Returns a value, or a place near the end of an axis that the value is beyond; the axis may be logarithmic."""
    if log:
        return math.exp(inside(math.log(max(value, low)), math.log(low), math.log(high)))
    room = 0.015 * (high - low)
    return min(max(value, low + room), high - room)


def plain_number(value: float) -> str:
    """Returns a number as it stands beside an axis: 0.003, 1e-5."""
    return re.sub(r"e([+-])0*", lambda found: "e" + found[1].replace("+", ""), f"{value:g}")


def short(text: str) -> str:
    """Returns a label, without its middle where it is so long that it would take the panel's room."""
    half = LONGEST_LABEL // 2
    return text if len(text) <= LONGEST_LABEL else f"{text[:half]}…{text[-half + 1 :]}"


def label_ends(axes: Axes, ends: Sequence[tuple[float, float, str]], colours: Sequence[str] = ()) -> None:
    """Writes a label to the right of each line's end; where they would touch, they move apart, with a line to the end.

    Args:
        axes: of a figure that is complete, with its final limits; it is laid out first.
        ends: x, y and the text.
        colours: those of the lines.
    """
    axes.get_figure(root=True).draw_without_rendering()  # type: ignore[union-attr]
    scale = 72 / axes.figure.dpi
    box = axes.get_window_extent()
    places = [axes.transData.transform((x, y)) * scale for x, y, _ in ends]
    heights = _apart([float(y) for _, y in places], box.y0 * scale, box.y1 * scale)
    right = max((x for x, _, _ in ends), default=0.0)
    for i, (x, y, text) in enumerate(ends):
        moved = heights[i] - places[i][1]
        line = {
            "arrowstyle": "-",
            "color": colours[i] if colours else FAINT,
            "linewidth": 0.8,
            "linestyle": (0, (1, 1.5)),  # so that nobody takes it for a piece of the curve
            "shrinkA": 0,
            "shrinkB": 2,
            "relpos": (0, 0.5),  # to the label's left, not to its middle, before which other labels may lie
        }
        axes.annotate(
            short(text),
            (x, y),
            xytext=(right, y),  # not from the line's end: the panel grows narrower when the labels are laid out
            textcoords=offset_copy(axes.transData, axes.get_figure(root=True), x=14, y=moved, units="points"),
            va="center",
            annotation_clip=False,
            bbox=BEHIND,
            arrowprops=line if colours or abs(moved) > 2 or x < right else None,
        )


def _apart(places: Sequence[float], low: float, high: float) -> list[float]:
    """Returns heights at least `LABEL_GAP` points apart, near the places and between two ends."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    groups: list[list[int]] = []
    heights = list(places)
    for i in order:  # labels that touch become a group around its middle, which may touch the one below
        groups.append([i])
        while True:
            own = groups[-1]
            middle = sum(places[j] for j in own) / len(own)
            half = LABEL_GAP * (len(own) - 1) / 2
            middle = min(max(middle, low + half), max(low + half, high - half))
            for rank, j in enumerate(own):
                heights[j] = middle + LABEL_GAP * rank - half
            if len(groups) < 2 or heights[own[0]] - heights[groups[-2][-1]] >= LABEL_GAP - 1e-6:
                break
            groups[-2:] = [groups[-2] + own]
    return heights


def mark_trials(artist: Artist, keys: Sequence[str]) -> None:
    """Says to which trials the marks of an artist belong, one mark each, in their order."""
    if keys:
        artist.set_gid(TRIALS + ",".join(keys))
