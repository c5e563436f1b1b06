import pytest

from tautune.analysis.edges import conclude
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
