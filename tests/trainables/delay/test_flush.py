"""The last gradients, and those of layers that are frozen midway."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tautune.trainables.delay import GradientQueue, RandomDelay
from tests.trainables.delay.test_queue_state import make as make_queue
from tests.trainables.delay.test_queue_state import train


def gradients_applied(delay: Any, steps: int, *, flush: bool) -> tuple[list[float], GradientQueue]:
    """Returns the gradients that arrive, in order; that of step t is t+1."""
    x = nn.Parameter(torch.zeros(1))
    queue = GradientQueue(torch.optim.SGD([x], 1.0), delay)
    arrived: list[float] = []
    queue.optimizer.register_step_pre_hook(lambda *_: arrived.append(x.grad.item()))  # type: ignore[union-attr]
    for t in range(steps):
        queue.zero_grad()
        (x * (t + 1)).sum().backward()
        queue.step()
    if flush:
        queue.flush()
    assert x.item() == -sum(arrived)
    return arrived, queue


@pytest.mark.parametrize(("delay", "steps"), [(0, 4), (1, 4), (3, 7), (5, 2), (10**12, 3), (3, 0)])
def test_flush_applies_what_is_left_in_order(delay: int, steps: int) -> None:
    arrived, queue = gradients_applied(delay, steps, flush=True)
    assert arrived == list(range(1, steps + 1))
    queue.flush()
    assert arrived == list(range(1, steps + 1))


def test_flush_follows_a_delay_that_varies() -> None:
    # step:   0  1  2  3  4, then without new gradients 5  6  7
    delays = [0, 2, 1, 3, 0, 3, 2, 3]
    arrived, _ = gradients_applied(delays, 5, flush=True)
    assert arrived == [1, 2, 1, 5, 3, 5, 5]
    random = RandomDelay(probabilities=(0.3, 0.3, 0.4), seed=2)
    arrived, _ = gradients_applied(random, 5, flush=True)
    sources = [t - random.at(t) for t in range(7)]
    assert arrived == [s + 1 for s in sources if 0 <= s < 5]


def test_training_and_saving_go_on_after_a_flush() -> None:
    model, queue = make_queue()
    train(model, queue, range(5))
    held = [p.grad for p in model.parameters()]
    queue.flush()
    assert all(p.grad is g for p, g in zip(model.parameters(), held, strict=True))
    train(model, queue, range(5, 7))
    assert len(queue._lanes.lanes[0].stored) == 2
    state, weights = queue.state_dict(), {k: v.clone() for k, v in model.state_dict().items()}
    other_model, other = make_queue()
    other_model.load_state_dict(weights)
    other.load_state_dict(torch.utils._pytree.tree_map(lambda v: v.clone() if isinstance(v, Tensor) else v, state))
    assert torch.equal(train(model, queue, range(7, 12)), train(other_model, other, range(7, 12)))


def test_a_layer_frozen_midway_stays_as_it_is() -> None:
    model, queue = make_queue(2)
    train(model, queue, range(4))
    frozen, free = model[0], model[2]  # type: ignore[index]
    frozen.requires_grad_(False)
    weights = frozen.weight.clone(), free.weight.clone()
    train(model, queue, range(4, 8))
    queue.flush()
    assert torch.equal(frozen.weight, weights[0])
    assert not torch.equal(free.weight, weights[1])
    frozen.requires_grad_(True)
    train(model, queue, range(8, 11))
    assert not torch.equal(frozen.weight, weights[0])


def test_gradients_set_by_hand_are_late_though_nothing_requires_them() -> None:
    x = torch.zeros(1)
    queue = GradientQueue(torch.optim.SGD([x], 1.0), 2)
    for t in range(4):
        x.grad = torch.full((1,), 10.0**t)
        queue.step()
    assert x.item() == -11
    queue.flush()
    assert x.item() == -1111
