from typing import Any

import pytest
import torch
from torch.nn.utils import parameters_to_vector

from tautune.trainables.delay import GradientQueue, RandomDelay
from tests.trainables.delay import queue_reference as delay_reference
from tests.trainables.delay.small_training import STEPS, gradient_at, make_model, run


def test_recorded_delays_agree_with_the_reference() -> None:
    delays = [0, 1, 2, 2, 0, 3, 5, 1, 1, 1, 7, 0, 4, 9, 2]
    model = make_model()
    start = parameters_to_vector(model.parameters()).detach()
    expected = delay_reference.train(
        start, gradient_at, learning_rate=0.3, momentum=0.0, shifted=False, delays=delays + [2] * 5
    )
    path = run(model, GradientQueue(torch.optim.SGD(model.parameters(), 0.3), delays), range(20))
    torch.testing.assert_close(torch.stack(path), torch.stack(expected[1:]), rtol=0, atol=1e-13)


def test_random_delays_follow_their_distribution_and_agree_with_the_reference() -> None:
    delay = RandomDelay(probabilities=(0.2, 0.0, 0.5, 0.3), seed=5)
    drawn = [delay.at(t) for t in range(4000)]
    shares = [drawn.count(d) / len(drawn) for d in range(4)]
    assert shares == pytest.approx([0.2, 0.0, 0.5, 0.3], abs=0.03)
    model = make_model()
    expected = delay_reference.train(
        parameters_to_vector(model.parameters()).detach(),
        gradient_at,
        learning_rate=0.3,
        momentum=0.0,
        shifted=False,
        delays=drawn[:STEPS],
    )
    path = run(model, GradientQueue(torch.optim.SGD(model.parameters(), 0.3), delay), range(STEPS))
    torch.testing.assert_close(torch.stack(path), torch.stack(expected[1:]), rtol=0, atol=1e-13)


@pytest.mark.parametrize("delay", [-1, 1.5, [1, -2], [], "x"])
def test_delays_that_are_none_are_refused(delay: Any) -> None:
    with pytest.raises(ValueError, match="delay"):
        GradientQueue(torch.optim.SGD(make_model().parameters(), 0.1), delay)


def test_random_delays_differ_with_the_seed() -> None:
    first, second = (RandomDelay(probabilities=(0.5, 0.5), seed=seed) for seed in (0, 1))
    assert [first.at(t) for t in range(50)] != [second.at(t) for t in range(50)]


@pytest.mark.parametrize("probabilities", [(), (0.5, 0.4), (1.5, -0.5), (float("nan"), 1.0)])
def test_probabilities_that_are_none_are_refused(probabilities: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="probabilities must be ≥ 0 and sum to 1"):
        RandomDelay(probabilities=probabilities)
