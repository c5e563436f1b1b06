"""The report of a probe: its verdict, its figure against theory, what follows, and what is damaged."""

import json
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.text import Text

import tautune
from tautune.analysis.pages.html import as_html
from tautune.analysis.pages.page import Page
from tautune.analysis.probe import LONGEST_DELAY, Probe
from tautune.analysis.probe_figure import limits, limits_figure, probe_figure, quantiles
from tautune.analysis.probe_verdict import said, verdict_of
from tautune.analysis.reported import compared, read_page
from tests.docs.test_commands import refusal
from tests.test_probe import half, least_squares

NOISE = 0.25
"""r of `least_squares`: its curvatures 2 and 6 are 4 ± 2."""


def probed(η: float | None = 0.05, batches: int = 2, *, momentum: float = 0.0, **late: Any) -> Probe:
    """Returns a probe of a quadratic of sharpness 4, of which two batches have the curvatures 2 and 6."""
    model, every = least_squares()
    optimizer = None if η is None else torch.optim.SGD(model.parameters(), η, momentum=momentum)
    whole = tuple(torch.cat(parts) for parts in zip(*every, strict=True))
    found = tautune.probe(model, half, every if batches == 2 else whole, optimizer=optimizer, **late)
    return replace(found, study="digits")


def made_probe(folder: Path, found: Probe | None = None, given: str | None = "my study.py", **asked: Any) -> Path:
    """Writes a probe's folder."""
    folder.mkdir()
    configuration = {"kind": "probe", "study": "digits", "learning_rate": 0.05, "delays": [4], "checkpoint": None}
    run = {"started": "…", "given": given, "finished": "…", "duration_seconds": 3.0, "versions": {"tautune": "0.1.0"}}
    (folder / "run.json").write_text(json.dumps({"configuration": configuration | asked, "runs": [run]}))
    (folder / "probe.json").write_text(json.dumps((found or probed(delays=4)).as_json(), allow_nan=False))
    return folder


def test_the_page_begins_with_the_verdict_and_has_all_in_its_order(tmp_path: Path) -> None:
    found = probed(delays=4)
    page = read_page(made_probe(tmp_path / "probe", found))
    assert page.title == "digits: is SGD safe where it stands?"
    assert page.verdict.startswith(f"SGD at η = 0.05 is safe at delay 4: it may grow {found.margin:.3g}-fold; this ")
    assert [section.title for section in page.sections] == [
        *("Up to which learning rate", "How the batches differ", "The best remedy", "The command"),
        *("What to ask next", "Versions and hardware"),
    ]
    assert [chart.name for chart in page.charts] == ["limits", "spread"]
    table = page.sections[0].table
    assert table
    assert [(row[0], row[5]) for row in table.rows] == [(4, True)]
    assert page.facts["time"] == "3 s"
    assert page.notes == ["These are the weights at which training begins, which has not yet changed the sharpness."]
    as_html(page)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize(
    ("late", "asked"),
    [
        ({"delays": [0, 4]}, {"delays": [0, 4]}),
        ({"delays": 4}, {"delays": [4], "checkpoint": "last one.pt", "mini_batch": 16, "optimizer": "nesterov"}),
        ({}, {"delays": []}),
    ],
)
def test_every_command_of_the_page_is_accepted(
    late: dict[str, Any], asked: dict[str, Any], momentum: float, tmp_path: Path
) -> None:
    page = read_page(made_probe(tmp_path / "probe", probed(momentum=momentum, **late), **asked))
    lines = commands(page)
    assert [line.split()[1] for line in lines] == ["probe", "advise", "sweep"]
    assert [why for line in lines if (why := refusal(line))] == []
    assert ("--momentum 0.9" in lines[1]) == ("--momentum 0.9" in lines[2]) == bool(momentum)


def test_delays_that_vary_are_in_the_commands_and_their_limit_is_marked(tmp_path: Path) -> None:
    shares = [1 / 7] * 7
    late = tautune.Delays.random(dict(enumerate(shares)))
    model, batches = least_squares()
    optimizer = tautune.GradientQueue(
        torch.optim.SGD(model.parameters(), 0.05), tautune.RandomDelay(probabilities=tuple(shares))
    )
    found = tautune.probe(model, half, batches, optimizer=optimizer)
    drawn = [[d, p] for d, p in zip(late.steps, late.shares, strict=True)]
    page = read_page(made_probe(tmp_path / "probe", found, delays=[], drawn=drawn))
    for line in commands(page):
        assert refusal(line) is None
        (words,) = line.split("--delay-shares ")[1:]
        text = words.split()[0]
        assert tautune.TrainingLoop("sgd", text).threshold == pytest.approx(found.loop.threshold)
    assert found.rows[0].delay == "0 to 6, 3 on average"
    assert page.notes[1].startswith("The curve and the largest delay are of fixed delays")
    assert "; this learning rate tolerates fixed delays up to " in verdict_of(found)


def commands(page: Page) -> list[str]:
    return [line for section in page.sections for line in section.commands if line.startswith("tautune ")]


def test_a_run_from_python_has_no_command_of_its_own(tmp_path: Path) -> None:
    page = read_page(made_probe(tmp_path / "probe", given=None))
    assert [line.split()[1] for line in commands(page)] == ["advise"]
    assert "There is none: the run was started from Python" in as_html(page)


def test_the_verdict_tells_what_is_not_safe() -> None:
    found = probed(0.2, delays=[0, 1, 8])
    assert found.safe is False
    assert verdict_of(found).startswith("SGD at η = 0.2 is not safe at delay 8: it must shrink to ")
    assert "; this learning rate tolerates delays up to 1; " in verdict_of(found)
    assert "is not safe at delays 4 and 8: " in verdict_of(probed(0.2, delays=[0, 4, 8]))
    assert "; this learning rate is not safe without a delay either." in verdict_of(probed(0.45, delays=0))
    safe = probed(0.001, 1, delays=range(9))
    assert "is safe at 9 delays from 0 to 8: it may grow " in verdict_of(safe)
    assert "tolerates delays up to 1000 and more" in verdict_of(replace(safe, largest_delay=LONGEST_DELAY))
    assert verdict_of(probed(None, 1, delays=0)) == "keep η of SGD below 0.5 at delay 0."
    late = probed(0.05, delays=8)
    assert late.best_remedy
    assert said(late)[-1] == late.best_remedy.code
    assert f" is stable at {late.remedy_gain:.3g} times the step:" in said(late)[-2]


def test_the_curve_is_theorys() -> None:
    plain, noisy = probed(batches=1, delays=[0, 32]), probed(delays=[0, 32])
    for limit in limits(plain):
        assert limit.lower == pytest.approx(tautune.max_stable_learning_rate(4, limit.delay), rel=1e-6)
    first, last = limits(noisy)[0], limits(plain)[-1]
    assert (first.mean, first.square) == pytest.approx((0.5, 2 / (1 + NOISE) / 4), rel=1e-6)
    assert last.delay > 32


@pytest.mark.parametrize("η", [0.05, 0.4, 0.45])
def test_the_line_of_the_learning_rate_is_full_where_it_is_safe(η: float) -> None:
    found = probed(η, delays=[0, 1, 8])
    axes = limits_figure(found, limits(found)).axes[0]
    curve = next(line for line in axes.lines if line.get_color() == "#1b1b1a" and np.size(line.get_xdata()) > 2)
    rate = [line for line in axes.lines if np.array_equal(line.get_ydata(), [η, η])]
    full = {str(line.get_linestyle()): np.asarray(line.get_xdata()) for line in rate}
    ends = axes.transData.transform(np.column_stack(curve.get_data()))
    for style, x in full.items():
        first, last = axes.transData.transform([(x[0], η), (x[1], η)])
        inside = np.linspace(first, last, 50)[1:-1]
        heights = np.interp(inside[:, 0], *ends.T)
        below = inside[:, 1] < heights + 1e-6
        assert below.all() if style == "-" else not below[inside[:, 0] > ends[0, 0]].any()
    marks = [line.get_marker() for line in axes.lines if line.get_marker() in ("o", "X")]
    assert marks == ["o" if row.safe else "X" for row in found.rows]


@pytest.mark.parametrize(
    ("delays", "momentum", "numbers"), [([0, 16], 0.0, 2), ([20, 21, 22, 23, 24], 0.0, 2), ([0, 2, 3, 4, 6, 8], 0.9, 6)]
)
def test_numbers_stay_within_the_panel_and_off_each_other(delays: list[int], momentum: float, numbers: int) -> None:
    figure = probe_figure(probed(momentum=momentum, delays=delays))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    panel = axes.get_window_extent()
    beside = [label for label in axes.texts if re.fullmatch(r"[\d.]+(e-\d+)?", label.get_text())]
    boxes = [label.get_window_extent() for label in beside]
    assert len(boxes) == numbers
    assert all(panel.x0 <= box.x0 and box.x1 <= panel.x1 for box in boxes)
    assert all(panel.y0 <= box.y0 and box.y1 <= panel.y1 for box in boxes)
    every = [Text.get_window_extent(text) for text in axes.texts if text.get_text()]
    assert not [1 for one, other in combinations(every, 2) if one.overlaps(other)]


def test_batches_in_ascending_order() -> None:
    assert np.array(quantiles(probed())) == pytest.approx(np.array([(0.0, 0.5), (1.0, 1.5)]))
    many = replace(probed(), batch_curvatures=tuple(np.linspace(0, 8, 1001).tolist()))
    assert len(quantiles(many)) == 100
    assert quantiles(many)[-1] == pytest.approx((1, 2))


def test_names_are_escaped(tmp_path: Path) -> None:
    hostile = "<script>alert('it')</script> & \"$x_1$\""
    folder = made_probe(tmp_path / "probe", replace(probed(), study=hostile), given=f"{hostile}.py")
    text = as_html(read_page(folder))
    assert text.count("<script>") == 1
    tautune.load(folder).plot().draw_without_rendering()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    folder = made_probe(tmp_path / "probe")
    kept = json.loads((folder / "probe.json").read_text())
    for change, message in (
        ({"sharpness": -1.0}, "probe.json is damaged: Expected `float` > 0.0 - at `$.sharpness`"),
        ({"loop": kept["loop"] | {"optimizer": {"kind": "x"}}}, "probe.json is damaged: no training loop can be made"),
    ):
        (folder / "probe.json").write_text(json.dumps(kept | change))
        page = read_page(folder)
        assert page.verdict == "There is no result."
        assert message in page.notes[0]
        as_html(page)
        with pytest.raises(ValueError, match="the same `tautune probe` writes it again"):
            tautune.load(folder)
    (folder / "probe.json").unlink()
    assert "probe.json cannot be read" in read_page(folder).notes[0]


def test_probes_are_not_compared(tmp_path: Path) -> None:
    folders = [made_probe(tmp_path / name) for name in ("one", "two")]
    with pytest.raises(ValueError, match="the kind 'probe' cannot be compared; `tautune report` shows each of them"):
        compared(folders)
