"""The figure of a Pareto front: all of the front is within its axes, and its numbers hide nothing."""

import itertools
from typing import Any

from tautune.analysis.pareto_figure import axis_of, pareto_figure
from tautune.trainables.goal import goal_in

GOAL = goal_in({"goals": ["validation_accuracy", "parameters:min"]})


def row(number: int, accuracy: float, parameters: int, *, on_front: bool) -> dict[str, Any]:
    return {
        "trial": f"{number:08x}",
        "number": number,
        "state": "finished",
        "validation_accuracy": accuracy,
        "parameters": parameters,
        "on_front": on_front,
    }


FRONT = [row(14, 0.951, 4810, on_front=True), row(1, 0.955, 8970, on_front=True), row(7, 0.965, 9610, on_front=True)]
OTHERS = [
    row(20 + i, (0.1, 0.3, *(0.8 + 0.01 * i for i in range(12)))[i], 9000 + 3000 * i, on_front=False) for i in range(14)
]


def test_no_number_of_the_front_lies_over_another_or_over_a_point() -> None:
    figure = pareto_figure([*FRONT, *OTHERS], GOAL)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    boxes = {text.get_text(): text.get_window_extent() for text in axes.texts}
    assert set(boxes) == {"14", "01", "07"}
    for one, other in itertools.combinations(boxes.values(), 2):
        assert not one.overlaps(other)
    for trial in FRONT:
        place = axes.transData.transform((trial["parameters"], trial["validation_accuracy"]))
        assert not any(box.contains(*place) for box in boxes.values())


def test_a_number_for_which_there_is_no_room_is_left_out() -> None:
    crowd = [row(i, 0.95 + 1e-5 * i, 5000 + i, on_front=True) for i in range(1, 30)]
    (axes,) = pareto_figure([*crowd, *OTHERS], GOAL).axes
    assert 0 < len(axes.texts) < len(crowd)


def test_the_axis_tells_good_trials_apart_and_has_all_of_the_front() -> None:
    low, high = axis_of([*FRONT, *OTHERS], GOAL)
    assert 0.1 < low < 0.951
    assert high > 0.965
    worst = row(2, 0.12, 10, on_front=True)  # tiny, and bad
    assert axis_of([*FRONT, *OTHERS, worst], GOAL)[0] < 0.12
