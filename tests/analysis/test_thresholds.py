import io
import json
import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer

from tautune.analysis.sweep_conclusion import conclude
from tautune.analysis.threshold_figure import thresholds_figure
from tautune.analysis.thresholds import Thresholds
from tautune.trainables.theory import stability
from tautune.trainables.theory.momentum import NO_MOMENTUM
from tautune.trainables.threshold.record import Departure, MeasurementRecord, Settings
from tautune.trainables.threshold.search import Threshold

SHARPNESS = 2.5


def record(delay: int, ratio: float, *, seed: int = 0, done: bool = True, found: bool = True) -> MeasurementRecord:
    rate = ratio * stability.max_stable_learning_rate(SHARPNESS, delay)
    return MeasurementRecord(
        settings=Settings(delay=delay, seed=seed),
        departures=(Departure(2 * rate, 60, True),) if done and found else (),
        gradient_evaluations=100.4,
        threshold=Threshold(rate, 0.0025 * rate) if found else None,
        done=done,
    )


def concluded(records: list[MeasurementRecord], mini_batch: int | None = None, examples: int = 10) -> Thresholds:
    return conclude(
        records, study="s", sharpness=SHARPNESS, momentum=NO_MOMENTUM, mini_batch=mini_batch, examples=examples
    )


def test_points_are_compared_with_theory() -> None:
    thresholds = concluded([record(4, 1.01), record(0, 1.0)])
    assert [p.delay for p in thresholds.points] == [0, 4]
    assert thresholds.points[1].relative_error == pytest.approx(0.01)
    assert thresholds.points[1].predicted == pytest.approx(0.347296 / SHARPNESS, rel=1e-5)
    assert thresholds.points[0].gradient_evaluations == 100
    assert thresholds.escapes[0].epochs == 60
    assert concluded([record(0, 1.0)], mini_batch=10, examples=45).escapes[0].epochs == 15


def test_seeds_give_the_mean_and_its_standard_error() -> None:
    thresholds = concluded([record(1, ratio, seed=i) for i, ratio in enumerate((0.9, 1.0, 1.1))], mini_batch=7)
    (point,) = thresholds.points
    assert point.relative_error == pytest.approx(0)
    assert point.uncertainty / point.predicted == pytest.approx(math.hypot(0.1 / math.sqrt(3), 0.0025), rel=1e-3)
    assert point.gradient_evaluations == 301
    assert point.seeds == 3


def test_what_is_not_known_yet_is_left_out() -> None:
    thresholds = concluded([record(0, 1.0), record(1, 1.0, found=False), record(2, 1.0, seed=1)])
    assert [p.delay for p in thresholds.points] == [0, 2]
    wide = record(3, 1.0, done=False)
    assert wide.threshold is not None
    assert concluded([replace(wide, threshold=Threshold(wide.threshold.learning_rate, 1.0))]).points == ()


def test_fit_has_the_sharpness_back() -> None:
    fit = concluded([record(d, 1.02) for d in (0, 1, 2, 4, 8, 16, 32)]).fit()
    assert fit is not None
    assert fit["sharpness"] == pytest.approx(SHARPNESS / 1.02, rel=1e-10)
    assert fit["slope"] == pytest.approx(SHARPNESS / 1.02 / math.pi, rel=0.01)
    assert fit["r_squared"] > 0.9999
    assert fit["sharpness_relative_error"] == pytest.approx(1 / 1.02 - 1)
    assert concluded([record(1, 1.0)]).fit() is None


def test_json_has_the_promised_keys_and_no_nan() -> None:
    text = json.dumps(concluded([record(d, 1.0) for d in (1, 3)]).as_json(), allow_nan=False)
    values = json.loads(text)
    assert {"study", "sharpness", "points", "fit"} <= values.keys()
    promised = {"delay", "predicted", "measured", "uncertainty", "relative_error", "gradient_evaluations"}
    assert promised <= values["points"][0].keys()


def test_figure_shows_measurements_on_theorys_line() -> None:
    thresholds = concluded([record(d, 1.0, seed=s) for d in (0, 1, 4) for s in (0, 1)], mini_batch=8)
    line, rest, leaving = thresholds_figure(thresholds).axes
    theory = dict(np.asarray(line.lines[0].get_xydata()).tolist())
    measured = dict(np.asarray(line.lines[1].get_xydata()).tolist())
    assert measured.keys() == {1, 3, 9}
    assert all(measured[x] == pytest.approx(theory[x]) for x in measured)
    assert "0 % from theory's\nbar: half the bracket and the standard error over seeds" in rest.get_title(loc="left")
    for axes in (line, rest):
        (bars,) = (c for c in axes.containers if isinstance(c, ErrorbarContainer))
        assert bars.has_yerr
    assert {text.get_text() for text in leaving.texts} == {"τ = 0", "τ = 1", "τ = 4"}


@pytest.mark.parametrize(
    "records", [[], [record(1, 1.0, done=False, found=False)], [replace(record(1, 1.0), departures=())]]
)
def test_figure_of_less_is_drawn_too(records: list[MeasurementRecord]) -> None:
    figure = thresholds_figure(concluded(records))
    figure.savefig(io.BytesIO())
    assert len(figure.axes) == 2


def test_a_frame_has_a_row_for_each_delay_and_the_best_is_the_largest_learning_rate() -> None:
    thresholds = concluded([record(4, 1.01), record(0, 1.0)])
    frame = thresholds.to_frame()
    columns = ["delay", "predicted", "measured", "uncertainty", "relative_error", "gradient_evaluations"]
    assert list(frame.columns) == columns
    assert frame["delay"].tolist() == [0, 4]
    assert frame["relative_error"].tolist() == pytest.approx([0.0, 0.01])
    assert thresholds.best is not None
    assert thresholds.best.delay == 0
    with pytest.raises(ValueError, match="these thresholds have none"):
        _ = thresholds.trials


def test_what_was_written_is_read_back() -> None:
    thresholds = concluded([record(d, 1.0) for d in (1, 3)])
    assert Thresholds.from_json(json.loads(json.dumps(thresholds.as_json()))) == thresholds


@pytest.mark.parametrize("delays", [(0, 8), (0, 1, 2, 3, 4, 6, 8, 12, 16), (0, 20, 22, 24, 26, 28, 30, 32)])
def test_the_delays_beside_curves_do_not_overprint(delays: tuple[int, ...]) -> None:
    figure = thresholds_figure(concluded([record(delay, 1.0) for delay in delays]))
    figure.draw_without_rendering()
    panel = figure.axes[-1]
    boxes = [text.get_window_extent() for text in panel.texts]
    assert len(boxes) >= len(delays) / 2
    assert not [1 for one, other in combinations(boxes, 2) if one.overlaps(other)]
    assert all(box.x1 <= panel.get_window_extent().x1 for box in boxes)


def test_departures_without_a_threshold_are_drawn_nowhere() -> None:
    thresholds = concluded([record(0, 1.0)])
    unfinished = replace(thresholds, points=())  # some seeds are done, others were stopped by Ctrl-C
    thresholds_figure(unfinished).savefig(io.BytesIO())
