import json
from pathlib import Path

import numpy as np
import pytest

from tautune.analysis.grid_figure import grid_figure
from tautune.analysis.grids import GridSummary, conclude
from tautune.trainables.grid.point import OUTCOMES, POINTS, Outcome, Point
from tautune.trainables.theory.momentum import NO_MOMENTUM

ROWS = {
    Point(0, 0.1, seed=0): Outcome(1.0, 0.5, False, 9),
    Point(0, 0.1, seed=1): Outcome(2.0, 0.7, False, 9),
    Point(0, 1.0, seed=0): Outcome(0.5, 0.9, False, 9),
    Point(0, 1.0, seed=1): Outcome(23.0, 0.0, True, 4),
    Point(3, 0.1): Outcome(23.0, 0.0, True, 2),
    Point(3, 1.0): Outcome(23.0, 0.0, True, 1),
    Point(5, 0.1): Outcome(3.0, 0.2, False, 9),
}


def summary(rows: dict[Point, Outcome]) -> GridSummary:
    points, outcomes = np.array(list(rows), dtype=POINTS), np.array(list(rows.values()), dtype=OUTCOMES)
    return conclude(points, outcomes, study="digits", momentum=NO_MOMENTUM, sharpness=2.0)


def test_conclusions_of_every_delay() -> None:
    grid = summary(ROWS)
    assert grid.loss.flatten().tolist() == pytest.approx([1.5, 11.75, 23, 23, 3, np.nan], nan_ok=True)
    assert grid.diverged.flatten().tolist() == pytest.approx([0, 0.5, 1, 1, 0, np.nan], nan_ok=True)
    zero, three, five = grid.rows
    assert (zero.best_learning_rate, zero.best_loss) == (0.1, 1.5)
    assert zero.best_accuracy == pytest.approx(0.6)
    assert (zero.largest_learning_rate, zero.diverged, zero.points) == (0.1, 1, 4)
    assert zero.theory == 1.0
    assert (three.best_learning_rate, three.best_loss, three.largest_learning_rate) == (None, None, None)
    assert (five.best_learning_rate, five.points) == (0.1, 1)
    assert grid.best is zero
    assert grid.to_frame()["delay"].tolist() == [0, 3, 5]
    json.dumps(grid.as_json(), allow_nan=False)


def test_a_regression_has_no_accuracy() -> None:
    grid = summary({point: outcome._replace(accuracy=None) for point, outcome in ROWS.items()})
    assert [row.best_accuracy for row in grid.rows] == [None, None, None]
    json.dumps(grid.as_json(), allow_nan=False)


@pytest.mark.parametrize("rows", [ROWS, dict(list(ROWS.items())[4:5]), dict(list(ROWS.items())[:1])])
def test_the_figure_has_theorys_line_whatever_there_is(rows: dict[Point, Outcome], tmp_path: Path) -> None:
    grid = summary(rows)
    figure = grid_figure(grid)
    figure.savefig(tmp_path / "grid.png")
    lines = figure.axes[0].get_lines()
    assert list(lines[0].get_ydata()) == [row.theory for row in grid.rows]  # type: ignore[arg-type]
