import copy
import io
from typing import Any

import numpy as np
import pytest
import torch

from tautune.trainables.delay import GradientQueue, RandomDelay, RecordedDelay
from tests.trainables.delay.small_training import OPTIMIZERS, backward, make_model, run


@pytest.mark.parametrize("delay", [3, [1, 4, 0, 2, 2, 5], RandomDelay(probabilities=(0.5, 0.2, 0.3))])
@pytest.mark.parametrize("name", ["adam", "momentum", "shifted"])
@pytest.mark.parametrize("stop", [2, 17])
def test_a_resumed_run_continues_bit_for_bit(name: str, delay: Any, stop: int) -> None:
    unbroken = make_model()
    expected = run(unbroken, GradientQueue(OPTIMIZERS[name](unbroken.parameters()), delay), range(40))
    first = make_model()
    queue = GradientQueue(OPTIMIZERS[name](first.parameters()), delay)
    run(first, queue, range(stop))
    buffer = io.BytesIO()
    torch.save({"model": first.state_dict(), "queue": queue.state_dict()}, buffer)
    buffer.seek(0)
    state = torch.load(buffer, weights_only=True)
    second = make_model(seed=1)
    second.load_state_dict(state["model"])
    queue = GradientQueue(OPTIMIZERS[name](second.parameters()), delay)
    queue.load_state_dict(state["queue"])
    path = run(second, queue, range(stop, 40))
    assert torch.equal(torch.stack(path), torch.stack(expected[stop:]))


def test_a_state_of_another_delay_is_refused() -> None:
    model = make_model()
    saved = GradientQueue(torch.optim.SGD(model.parameters(), 0.1), 3).state_dict()
    for other in (
        GradientQueue(torch.optim.SGD(model.parameters(), 0.1), 4),
        GradientQueue(torch.optim.SGD(model.parameters(), 0.1), 3, storage=torch.bfloat16),
    ):
        with pytest.raises(ValueError, match="delay and storage must be the saved run's"):
            other.load_state_dict(saved)


@pytest.mark.parametrize("same", [[1, 2], (1, 2), np.array([1, 2]), RecordedDelay([1, 2])])  # type: ignore[arg-type]
def test_the_same_delays_are_the_same_however_they_are_written(same: Any) -> None:
    model = make_model()
    saved = GradientQueue(torch.optim.SGD(model.parameters(), 0.1), [int(np.int64(1)), 2]).state_dict()
    GradientQueue(torch.optim.SGD(model.parameters(), 0.1), same).load_state_dict(saved)


@pytest.mark.parametrize("set_to_none", [True, False])
def test_training_on_does_not_change_a_saved_state(set_to_none: bool) -> None:
    """Rolling back in memory: neither the run that was saved nor the one that was loaded reaches into the state."""
    model = make_model()
    queue = GradientQueue(torch.optim.SGD(model.parameters(), 0.1), 3)

    def train(steps: range) -> None:
        for t in steps:
            queue.zero_grad(set_to_none)
            backward(model, t)
            queue.step()

    train(range(5))
    state = queue.state_dict()
    before = copy.deepcopy(state["stored"])
    train(range(5, 12))
    queue.load_state_dict(state)
    train(range(5, 12))
    for saved, kept in zip(state["stored"], before, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(saved, kept, strict=True))
