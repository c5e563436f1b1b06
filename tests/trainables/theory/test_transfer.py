"""What becomes of a learning rate where the curvature is known at which a training begins."""

import pytest

from tautune.trainables.theory.loop import TrainingLoop
from tautune.trainables.theory.transfer import Start, transfer


@pytest.mark.parametrize("delay", [1, 3, 31, {0: 0.5, 8: 0.5}])
@pytest.mark.parametrize(("optimizer", "momentum"), [("sgd", 0.0), ("sgd", 0.9), ("nesterov", 0.9)])
def test_the_learning_rate_is_half_of_what_is_stable(optimizer: str, momentum: float, delay: object) -> None:
    found = transfer(optimizer, momentum, delay, start=Start(learning_rate=100.0, curvature=4.0))
    remedies = [] if found.remedy == "none" else [found.remedy]
    loop = TrainingLoop(found.optimizer, delay, remedies, found.momentum)
    stable = loop.mean_square_threshold() if loop.delay.drawn else loop.threshold
    assert 100 * found.factor == pytest.approx(min(stable, 2 / loop.gain_at_rest) / 8)
    assert "half of what is stable" in found.why[-1]


def test_a_learning_rate_that_is_stable_stays_at_unit_gain() -> None:
    plain = transfer("sgd", 0.0, 31, start=Start(0.001, 4.0))
    shifted = transfer("nesterov", 0.9, 31, start=Start(0.0001, 4.0))
    assert plain.factor == 1
    assert shifted.optimizer == "shifted-momentum"
    assert shifted.factor == pytest.approx(10)  # the gain at rest is 1 now, and was 10
    assert "stays" in plain.why[-1]


def test_nothing_changes_without_delay_and_adam_goes_by_its_thresholds() -> None:
    start = Start(100.0, 4.0)
    assert transfer("sgd", 0.0, 0, start=start).factor == 1
    assert transfer("adam", 0.9, 31, start=start) == transfer("adam", 0.9, 31)
