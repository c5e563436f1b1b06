"""The typical growth of a training with varying delays, against products of companion matrices."""

import numpy as np
import pytest

from tautune.trainables.theory.loop import TrainingLoop
from tautune.trainables.theory.typical import typical_growth

DELAYS = {0: 0.4, 1: 0.3, 2: 0.2, 3: 0.1}


def slow_growth(ages: list[int], k: float, m: float, horizon: float) -> float:
    """The growth of ln ‖(x, velocity)‖ a step of torch's SGD with momentum and prediction, one step after another."""
    past, v, total = [1.0] * (max(ages) + 2), 0.0, 0.0
    for t, d in enumerate(ages):
        y = past[-1 - d] + horizon * (past[-1 - d] - past[-2 - d])
        v = m * v + y
        past = [*past[1:], past[-1] - k * v]
        if t % 10 == 9:
            size = max(map(abs, past))
            past, v = [x / size for x in past], v / size
            total += np.log(size) if t >= 2000 else 0.0
    return total / (len(ages) - 2000)


@pytest.mark.parametrize(("m", "horizon", "k"), [(0.0, 0.0, 1.3), (0.0, 0.0, 1.6), (0.5, 0.0, 0.8), (0.5, 1.0, 0.5)])
def test_it_grows_as_the_recursion_step_by_step(m: float, horizon: float, k: float) -> None:
    loop = TrainingLoop("sgd", DELAYS, [f"predict:{horizon:g}"] if horizon else [], m)
    ages = np.random.default_rng(0).choice(list(DELAYS), 20_000, p=list(DELAYS.values()))
    found = typical_growth(loop._open, loop._late, ages[:, None], k)
    assert found == pytest.approx(slow_growth(ages.tolist(), k, m, horizon), abs=5e-4)


def test_delays_that_change_nothing_have_the_threshold_of_the_mean() -> None:
    loop = TrainingLoop("nesterov", 4)
    assert loop.typical_threshold() == loop.threshold
    nearly = TrainingLoop("nesterov", {4: 1 - 1e-6, 5: 1e-6})
    assert nearly.typical_threshold() == pytest.approx(loop.threshold, rel=2e-3)


def test_the_order_of_the_ages_counts() -> None:
    """Ages 0 and 1 in turn are a recursion over two steps, whose largest root is 1 at k = √2: (1-k)² + ... = 1."""
    in_turn = [0, 1] * 2000
    loop = TrainingLoop("sgd", {0: 0.5, 1: 0.5})

    def radius(k: float) -> float:
        fresh, late = np.array([[1 - k, 0], [1, 0]]), np.array([[1, -k], [1, 0]])
        return float(np.abs(np.linalg.eigvals(late @ fresh)).max())

    found = loop.typical_threshold(in_turn)
    assert radius(found * 0.999) < 1 < radius(found * 1.001)
    assert loop.typical_threshold() < loop.threshold
    with pytest.raises(ValueError, match="ages must be at least 40"):
        loop.typical_threshold([0, 1])
