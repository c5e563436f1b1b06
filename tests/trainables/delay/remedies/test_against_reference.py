"""Each remedy against its equation, written down over a list of all past weights, weight by weight in float64."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tautune.trainables.delay.remedies.discard_stale import DiscardStale
from tests.trainables.delay.remedies import late_reference
from tests.trainables.delay.remedies.cases import (
    DELAYS,
    MOMENTUM,
    RANDOM,
    REMEDIES,
    STEPS,
    late_by,
    sgd,
    staged_gradient,
    staged_model,
    start,
    train,
)

RATES = [0.05 if t < 15 else 0.02 for t in range(STEPS)]


def in_two_rates(optimizer: Any) -> Callable[[], None]:
    """Returns what is called after each step, so that the learning rates are `RATES`."""
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [15], gamma=0.4)
    return scheduler.step


def predicted(x: list[Tensor], t: int) -> Tensor:
    return x[t] + 2.5 * (x[t] - x[max(t - 1, 0)])


def compensated(g: Tensor, x: list[Tensor], t: int, s: int) -> Tensor:
    return g + 2.0 * g * g * (x[t] - x[s])


TWINS: dict[str, dict[str, Any]] = {
    "prediction": {"where": predicted},
    "compensation": {"correct": compensated},
    "delay-adaptive": {"factor": lambda delay, _: 2 / max(2, delay)},
    "staleness-aware": {"factor": lambda delay, _: 1 / max(delay, 1)},
    "rescheduling": {"factor": lambda delay, t: 1 / max(delay, 1) ** (1 - min(t / 20, 1))},
}


@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("name", TWINS)
def test_agrees_with_its_equation(name: str, delay: str) -> None:
    model = staged_model()
    expected = late_reference.train(
        start(),
        staged_gradient,
        delays=late_by(model, DELAYS[delay]),
        learning_rates=RATES,
        momentum=MOMENTUM,
        **TWINS[name],
    )
    optimizer = REMEDIES[name](sgd(model, DELAYS[delay]))
    path = train(model, optimizer, range(STEPS), in_two_rates(optimizer))
    torch.testing.assert_close(path, torch.stack(expected[1:]), rtol=0, atol=1e-12)
    plain = staged_model()
    without = sgd(plain, DELAYS[delay])
    assert float((train(plain, without, range(STEPS), in_two_rates(without)) - path).norm()) > 1e-3  # it did something


@pytest.mark.parametrize("delay", ["fixed", "by stage"])
def test_gap_aware_agrees_with_the_published_code(delay: str) -> None:
    """FTPipe's `GapAware.apply_on_stashed`, which averages the squares of SGD's velocity, without weight decay."""
    γ, ε = 0.9, 1e-8
    model = staged_model()
    delays = late_by(model, DELAYS[delay])

    def divided(g: Tensor, x: list[Tensor], t: int, s: int) -> Tensor:
        late = torch.where(delays[t] == t - s, True, False)
        average = torch.zeros_like(g)
        updates = 0
        for now in range(t + 1):
            if not bool((delays[now] <= now).any()):
                continue
            velocity = (x[now - 1] - x[now]) / RATES[now - 1] if updates else torch.zeros_like(g)
            average = γ * average + (1 - γ) * velocity**2
            updates += 1
        step = max(RATES[: t + 1]) * ((average / (1 - γ**updates)) ** 0.5 + ε)
        return torch.where(late & (delays[t] > 0), g / (1 + (x[t] - x[s]).abs() / step), g)

    expected = late_reference.train(
        start(), staged_gradient, delays=delays, learning_rates=RATES, momentum=MOMENTUM, correct=divided
    )
    optimizer = REMEDIES["gap-aware"](sgd(model, DELAYS[delay]))
    path = train(model, optimizer, range(STEPS), in_two_rates(optimizer))
    torch.testing.assert_close(path, torch.stack(expected[1:]), rtol=0, atol=1e-11)


def test_discarded_gradients_move_nothing_and_younger_ones_as_ever() -> None:
    """Under delays of 0 to 3, a limit of 2 leaves the steps with delays 0 and 1."""
    model = staged_model()
    path = torch.cat([start()[None], train(model, DiscardStale(sgd(model, RANDOM), 2), range(STEPS))])
    x, v, g = [start()], torch.zeros_like(start()), []
    for t in range(STEPS):
        age = RANDOM.at(t)
        g.append(staged_gradient(x[t], t))
        applied = age <= min(t, 1)
        v = MOMENTUM * v + g[t - age] if applied else v
        x.append(x[t] - 0.05 * v if applied else x[t])
        assert torch.equal(path[t + 1], path[t]) is not applied
    assert {RANDOM.at(t) for t in range(STEPS)} == {0, 1, 2, 3}
    torch.testing.assert_close(path, torch.stack(x), rtol=0, atol=1e-12)
