"""What TensorBoard shows of a sweep and of a grid: measured and predicted in one chart, and nothing twice."""

from dataclasses import replace
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout

from tautune.analysis.board import show_grid, show_pareto, show_thresholds
from tautune.analysis.verdicts import rounded_down, theorys_worth
from tautune.records.event_files import BOARD
from tautune.trainables.threshold.update import Update
from tests.analysis.test_grids import ROWS, summary
from tests.analysis.test_thresholds import concluded, record

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8) + (640).to_bytes(4, "big") + (480).to_bytes(4, "big")


def shown(folder: Path) -> dict[str, EventAccumulator]:
    return {place.name: EventAccumulator(str(place)).Reload() for place in (folder / BOARD).iterdir()}


def points_of(events: EventAccumulator, tag: str) -> dict[int, float]:
    return {event.step: event.value for event in events.Scalars(tag)}


def test_measured_and_predicted_thresholds_are_in_one_chart_over_the_delay(tmp_path: Path) -> None:
    thresholds = concluded([record(4, 1.01), record(0, 1.0)])
    for _ in range(2):  # the same sweep again
        show_thresholds(thresholds, tmp_path)
    found = shown(tmp_path)
    assert sorted(found) == ["measured", "theory", "verdict"]
    verdict = found["verdict"]
    (layout,) = verdict.Tensors("custom_scalars__config__")
    (category,) = Layout.FromString(layout.tensor_proto.string_val[0]).category
    (series,) = category.chart[-1].margin.series  # which TensorBoard draws first
    for point in thresholds.points:
        rates = {
            series.value: (point.measured, point.predicted),
            series.lower: (point.measured - point.uncertainty, point.predicted),
            series.upper: (point.measured + point.uncertainty, point.predicted),
        }
        for tag, (measured, predicted) in rates.items():
            assert points_of(found["measured"], tag)[point.delay] == pytest.approx(measured)
            assert points_of(found["theory"], tag)[point.delay] == pytest.approx(predicted)
    assert len(found["measured"].Scalars(series.value)) == 2
    inverse = points_of(found["measured"], "1 by delay/stable η, inverse")
    assert inverse == pytest.approx({point.delay: 1 / point.measured for point in thresholds.points})
    assert {"pictures/error", "pictures/escapes", "pictures/thresholds"} <= set(verdict.Tags()["tensors"])
    (words,) = verdict.Tensors("verdict")
    said, last = words.tensor_proto.string_val[0].decode(), thresholds.points[1]
    assert said.startswith(
        f"**s**: At τ = 4 keep η below {rounded_down(last.measured - last.uncertainty)}; theory is right to 1 %, and "
        "the measurements are known to ± 0.25 %."
    )


def test_delays_that_are_drawn_are_a_histogram(tmp_path: Path) -> None:
    update = Update(drawn=((0, 0.25), (8, 0.75)))
    thresholds = concluded([record(8, 1.0)])
    show_thresholds(replace(thresholds, update=update), tmp_path)
    (histogram,) = shown(tmp_path)["verdict"].Tensors("delays")
    assert histogram.tensor_proto.tensor_shape.dim[0].size == 2


def test_where_steps_differ_by_chance_theory_is_that_of_the_mean() -> None:
    thresholds = concluded([record(8, 1.2)])
    assert theorys_worth(thresholds).startswith("theory is off by up to 20 %, and")
    varied = tuple(replace(point, mean_square=0.1) for point in thresholds.points)
    said = theorys_worth(replace(thresholds, points=varied))
    assert said.startswith("theory of the mean is off by up to 20 %, since a single training does not grow as the mean")


def test_a_sweep_without_a_threshold_says_so(tmp_path: Path) -> None:
    show_thresholds(concluded([record(1, 1.0, found=False)]), tmp_path)
    (words,) = shown(tmp_path)["verdict"].Tensors("verdict")
    assert words.tensor_proto.string_val[0].decode() == "**s**: no threshold is known yet."


def test_a_grid_has_its_best_and_largest_learning_rates_beside_theorys(tmp_path: Path) -> None:
    grid = summary(ROWS)
    show_grid(grid, tmp_path, PNG)
    found = shown(tmp_path)
    rates: dict[str, dict[int, float | None]] = {
        "best": {row.delay: row.best_learning_rate for row in grid.rows},
        "largest without divergence": {row.delay: row.largest_learning_rate for row in grid.rows},
        "theory": {row.delay: row.theory for row in grid.rows},
    }
    for name, own in rates.items():
        expected = {delay: rate for delay, rate in own.items() if rate is not None}
        assert points_of(found[name], "1 by delay/η") == pytest.approx(expected)
    assert points_of(found["best"], "2 at the best η, by delay/loss") == {0: 1.5, 5: 3.0}
    (picture,) = found["verdict"].Tensors("pictures/grid")
    assert list(picture.tensor_proto.string_val) == [b"640", b"480", PNG]


def test_the_front_is_a_picture_of_the_study(tmp_path: Path) -> None:
    show_pareto(PNG, tmp_path, 3)
    (picture,) = shown(tmp_path)["study"].Tensors("pictures/pareto")
    assert picture.step == 3


@pytest.mark.parametrize(
    ("value", "shown"), [(0.162745, "0.162"), (0.16295, "0.162"), (1.0, "1"), (0.0426199, "0.0426")]
)
def test_a_learning_rate_to_keep_below_is_rounded_down(value: float, shown: str) -> None:
    assert rounded_down(value) == shown
