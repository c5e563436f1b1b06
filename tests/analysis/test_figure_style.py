"""The colours of all figures, seen by somebody without the cones for green, and labels that do not overprint."""

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import BboxBase
from numpy.typing import NDArray

from tautune.analysis.figure_style import (
    DARK,
    FAINT,
    INK,
    LONGEST_LABEL,
    MAP,
    PAPER,
    QUIET,
    SERIES,
    inside,
    label_ends,
    log_axis,
    new_figure,
    styled,
)
from tautune.analysis.figure_style import series as style_of
from tautune.runners.sweep import DELAYS

Colour = NDArray[np.float64]
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
"""What red, green and blue light becomes: Machado, Oliveira and Fernandes (2009), table 1, severity 1.0."""
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ @ np.ones(3)
APART = 12.0
"""Distance in CIELAB between two colours at least: 2.3 can just be told apart side by side."""


def light(colour: Any) -> Colour:
    """Returns a colour as light, of which twice as much is twice the number."""
    values = np.array(to_rgb(colour))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: Colour) -> Colour:
    x = TO_XYZ @ rgb / WHITE
    f = np.where(x > (6 / 29) ** 3, np.cbrt(x), x / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def seen(colour: Any) -> Colour:
    """Returns what is seen of a colour of matplotlib's."""
    return lab(np.clip(DEUTERANOPIA @ light(colour), 0, 1))


def contrast(one: str, other: str) -> float:
    """Returns the contrast of WCAG: from 1 for the same luminance to 21 for black on white."""
    low, high = sorted(float(TO_XYZ[1] @ light(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def shades(*, dark: bool) -> dict[str, str]:
    return {colour: DARK[colour] if dark else colour for colour in DARK}


@pytest.mark.parametrize("dark", [False, True])
def test_without_cones_for_green_all_lines_are_told_apart(dark: bool) -> None:
    colours = [shades(dark=dark)[colour] for colour in (*SERIES, FAINT)]
    near = {
        (one, other): round(float(np.linalg.norm(seen(one) - seen(other))), 1)
        for one, other in combinations(colours, 2)
        if np.linalg.norm(seen(one) - seen(other)) < APART
    }
    assert near == {}


def test_red_and_green_are_not() -> None:
    """So that the test above is one which can fail."""
    assert np.linalg.norm(lab(light("#c8553d")) - lab(light("#7a8b2f"))) > 3 * APART
    assert np.linalg.norm(seen("#c8553d") - seen("#7a8b2f")) < APART


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_the_contrast_of_aa_and_marks_can_be_seen(dark: bool) -> None:
    own = shades(dark=dark)
    assert all(contrast(own[colour], own[PAPER]) >= 4.5 for colour in (INK, QUIET))
    assert {
        colour: round(contrast(own[colour], own[PAPER]), 1)
        for colour in SERIES
        if contrast(own[colour], own[PAPER]) < 2
    } == {}


def test_the_map_of_numbers_grows_lighter_all_the_way_also_without_cones_for_green() -> None:
    lightness = [seen(colour)[0] for colour in map(tuple, colormaps[MAP](np.linspace(0, 1, 30))[:, :3])]
    assert all(np.diff(lightness) > 0)


def test_twelve_lines_differ_in_colour_or_marker_and_the_default_delays_in_colour() -> None:
    assert len({tuple(style_of(place).values()) for place in range(12)}) == 12
    assert len({style_of(place)["color"] for place in range(len(DELAYS))}) == len(DELAYS)


def boxes(figure: Figure, texts: Iterable[Text]) -> list[BboxBase]:
    figure.draw_without_rendering()
    return [Text.get_window_extent(text) for text in texts if text.get_text()]  # of an annotation without its line


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize(
    ("low", "high"),
    [(0.163, 1.76), (0.01, 0.02), (1e-6, 1e-3), (1e-9, 1e3), (0.9, 1.1), (0.00127, 0.00738), (0.0011, 0.0098)],
)
def test_numbers_beside_a_logarithmic_axis_do_not_overprint(low: float, high: float, narrow: bool) -> None:
    figure = new_figure(2.6 if narrow else 6.0, 3.0)
    axes = figure.subplots()
    axes.plot([low, high], [0, 1])
    log_axis(axes, "x", low, high, narrow=narrow)
    shown = boxes(figure, axes.get_xticklabels(which="both"))
    assert not [1 for a, b in combinations(shown, 2) if a.overlaps(b)]


def test_labels_of_lines_that_end_together_do_not_overprint_and_keep_their_order() -> None:
    figure = new_figure()
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    figure.draw_without_rendering()
    heights = [0.5, 0.502, 0.499, 0.98, 0.99, 1.0, 0.0]
    label_ends(axes, [(0.1 if i == 3 else 1.0, y, f"line {i}") for i, y in enumerate(heights)])
    shown = boxes(figure, axes.texts)
    assert not [1 for a, b in combinations(shown, 2) if a.overlaps(b)]
    for text in axes.texts:
        line = text.arrow_patch.get_window_extent() if text.arrow_patch else None  # type: ignore[attr-defined]
        assert line is None or line.x1 <= min(box.x0 for box in shown)
    placed = [box.y0 for box in shown]
    assert sorted(range(len(heights)), key=lambda i: placed[i]) == sorted(range(len(heights)), key=lambda i: heights[i])
    figure.draw_without_rendering()  # which makes room for the labels
    assert max(Text.get_window_extent(text).x1 for text in axes.texts) <= figure.bbox.x1
    inside = axes.get_window_extent()
    assert inside.y0 - 10 <= min(placed)
    assert max(placed) <= inside.y1


@pytest.mark.parametrize(
    ("value", "log", "place"),
    [
        (0.58, True, 0.58),  # on its line, although near the lower end by difference
        (5.0, False, 5.0),
        (20.0, False, 9.8575),
        (0.0, True, 0.5 * 20**0.015),
        (99.0, True, 10 / 20**0.015),
    ],
)
def test_only_what_lies_beyond_an_axis_is_moved_to_its_end(value: float, log: bool, place: float) -> None:
    assert inside(value, 0.5, 10.0, log=log) == pytest.approx(place)


@pytest.mark.parametrize(("low", "high"), [(0.45, 1.65), (0.9, 1.2), (0.01, 0.02)])
def test_a_short_logarithmic_axis_has_three_numbers_at_least(low: float, high: float) -> None:
    figure = new_figure()
    axes = figure.subplots()
    axes.plot([0, 1], [low, high])
    log_axis(axes, "y", low, high)
    figure.draw_without_rendering()
    lowest, highest = axes.get_ylim()
    assert sum(lowest <= tick <= highest for tick in axes.get_yticks()) >= 3


def test_a_long_name_leaves_the_panel_its_room_and_keeps_both_ends() -> None:
    figure = new_figure()
    axes = figure.subplots()
    figure.draw_without_rendering()
    label_ends(axes, [(1.0, 1.0, f"first{'/folder' * 20}/last"), (1.0, 0.5, "second")])
    figure.draw_without_rendering()
    words, other = (text.get_text() for text in axes.texts)
    assert (words[:5], words[-5:], other) == ("first", "/last", "second")
    assert len(words) == LONGEST_LABEL
    assert axes.get_window_extent().width > figure.bbox.width / 2


@styled
def test_a_name_with_dollars_in_it_is_no_formula() -> None:
    axes = new_figure(3.0, 2.0).subplots()
    label_ends(axes, [(1.0, 1.0, r"a $\frac$")])
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    assert not axes.texts[0].get_parse_math()
