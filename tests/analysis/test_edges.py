import io
from pathlib import Path

import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tautune.analysis.edges import Edges, conclude
from tautune.analysis.report import write_edge
from tautune.analysis.verdicts import where_it_settles
from tautune.commands.edge_display import EdgeDisplay
from tautune.commands.screen import Screen
from tautune.trainables.edge.following import Sample


def samples(delay: int, seed: int, late: float, *, diverged: bool = False) -> list[Sample]:
    """Returns a training of 100 steps at η = 0.5 whose ratio is 0.2 at first and `late` in the last quarter."""
    seen = [
        Sample(delay, 0.5, seed, step, 1.0, 2 * (late if step > 75 else 0.2), 1.0, False) for step in range(5, 101, 5)
    ]
    if not diverged:
        return seen
    return [*seen[:3], Sample(delay, 0.5, seed, 17, 10.0, None, None, True)]


def test_the_ratio_is_the_median_late_in_training_over_the_seeds() -> None:
    given = samples(0, 0, 1.0) + samples(0, 1, 1.1) + samples(0, 2, 1.2) + samples(4, 0, 5.0, diverged=True)
    found = conclude(given[::-1], study="mine", optimizer="sgd", decay=None, steps=100, sharpness=1.0)
    first, second = found.points
    assert (first.ratio, first.lowest, first.highest) == pytest.approx((1.1, 1.0, 1.2))
    assert (first.seeds, first.diverged) == (3, 0)
    assert first.drift == pytest.approx(0)
    assert (second.delay, second.ratio, second.seeds, second.diverged) == (4, None, 1, 1)
    assert [curve.diverged for curve in found.curves] == [None, None, None, 17]
    assert found.to_frame()["ratio"].tolist()[0] == pytest.approx(1.1)
    assert not found.preconditioned
    found.plot()


def test_a_training_that_still_changes_says_so() -> None:
    rising = [Sample(0, 1.0, 0, step, 1.0, step / 100, 1.0, False) for step in range(1, 101)]
    point = conclude(rising, study="mine", optimizer="adam", decay=0.999, steps=100, sharpness=1.0).points[0]
    assert point.ratio == pytest.approx(0.88)
    assert point.drift == pytest.approx((94 + 0.0) / 82 - 1, abs=0.02)


def stopped() -> Edges:
    """Returns what is known where one of three trainings is at step 90 of 100, and another one at 30."""
    given = samples(0, 0, 1.0) + samples(0, 1, 1.1)[:18] + samples(2, 0, 1.0)[:6]
    return conclude(given, study="mine", optimizer="sgd", decay=None, steps=100, sharpness=1.0)


def test_what_is_of_a_part_of_the_training_is_marked() -> None:
    edges = stopped()
    assert [point.unfinished for point in edges.points] == [1, 1]
    assert (
        where_it_settles(edges) == "Late in training, ηλ divided by the delay's threshold is 1.000 at τ = 0 (so far)."
    )
    shown = io.StringIO()
    EdgeDisplay(Screen(Console(file=shown, width=120), 0.0)).concluded(edges)
    assert "1.000 so far" in shown.getvalue()
    assert "so far: 2 of the 3 trainings that have begun are not at their end" in shown.getvalue()
    assert "hollow: not at its end yet" in edges.plot().axes[1].get_title(loc="left")


@pytest.mark.parametrize(("steps", "ended"), [(100, True), (104, True), (105, False)])
def test_a_rest_too_short_for_a_look_is_no_part_that_is_missing(steps: int, ended: bool) -> None:
    point = conclude(samples(0, 0, 1.0), study="mine", optimizer="sgd", decay=None, steps=steps, sharpness=1.0)
    assert (point.points[0].unfinished == 0) is ended
    gone = conclude(
        samples(0, 0, 1.0, diverged=True), study="m", optimizer="sgd", decay=None, steps=9000, sharpness=1.0
    )
    assert gone.points[0].unfinished == 0


def test_tensorboard_has_the_verdict_and_each_panel(tmp_path: Path) -> None:
    edges = stopped()
    write_edge(edges, tmp_path)
    shown = EventAccumulator(str(tmp_path / "tensorboard/settled")).Reload()
    assert set(shown.Tags()["tensors"]) >= {"verdict", "pictures/edge", "pictures/settled"}
    [words] = shown.Tensors("verdict")
    assert words.tensor_proto.string_val[0].decode().startswith(f"**mine**: {where_it_settles(edges)}")
