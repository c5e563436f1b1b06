"""States that a queue loads, and those that it refuses."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tautune.trainables.delay import GradientQueue


def make(delay: int = 3, **options: Any) -> tuple[nn.Module, GradientQueue]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)).double()
    return model, GradientQueue(torch.optim.Adam(model.parameters(), 0.05), delay, **options)


def train(model: nn.Module, optimizer: Any, steps: range) -> Tensor:
    for t in steps:
        optimizer.zero_grad()
        inputs = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(t))
        model(inputs).square().sum().backward()
        optimizer.step()
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def fewer_steps(state: dict[str, Any]) -> None:
    state["stored"].pop()


def fewer_parameters(state: dict[str, Any]) -> None:
    state["stored"][1].pop()


def another_shape(state: dict[str, Any]) -> None:
    state["stored"][2][0] = torch.zeros(3, 5, dtype=torch.float64)


def another_dtype(state: dict[str, Any]) -> None:
    state["stored"][0][3] = torch.zeros(2)


def no_time(state: dict[str, Any]) -> None:
    del state["time"]


REFUSED: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (fewer_steps, "holds the gradients of 2 steps, where it should hold those of 3"),
    (fewer_parameters, "gradients of step 3 are for 3 parameters, and the optimizer has 4"),
    (another_shape, r"gradient of step 4 for parameter 0 has shape \(3, 5\) and dtype torch.float64, where \(3, 4\)"),
    (another_dtype, r"gradient of step 2 for parameter 3 has shape \(2,\) and dtype torch.float32, where .*float64"),
    (no_time, "missing: time"),
]


@pytest.mark.parametrize(("spoil", "message"), REFUSED)
def test_gradients_that_do_not_fit_are_refused_and_nothing_is_loaded(spoil: Any, message: str) -> None:
    model, queue = make()
    train(model, queue, range(5))
    state = copy.deepcopy(queue.state_dict())
    spoil(state)
    other_model, other = make()
    with pytest.raises(ValueError, match=message):
        other.load_state_dict(state)
    untouched_model, untouched = make()
    assert torch.equal(train(other_model, other, range(6)), train(untouched_model, untouched, range(6)))


def test_a_bare_optimizers_state_loads_into_an_empty_queue() -> None:
    model, queue = make(2)
    train(model, queue.optimizer, range(4))
    state = copy.deepcopy(queue.optimizer.state_dict())
    weights = copy.deepcopy(model.state_dict())
    results = []
    for _ in range(2):
        model, queue = make(2)
        train(model, queue, range(3))  # leaves something to be forgotten
        model.load_state_dict(weights)
        if not results:
            queue.load_state_dict(copy.deepcopy(state))
        else:
            queue = GradientQueue(torch.optim.Adam(model.parameters(), 0.05), 2)
            queue.optimizer.load_state_dict(copy.deepcopy(state))
        assert queue.time == 0
        results.append(train(model, queue, range(6)))
    assert torch.equal(results[0], results[1])


def test_the_bare_optimizer_loads_a_queues_state() -> None:
    model, queue = make()
    train(model, queue, range(6))
    _, other = make()
    other.optimizer.load_state_dict(queue.state_dict())
    assert other.optimizer.state_dict()["state"].keys() == queue.state_dict()["state"].keys()


def as_saved_before(state: dict[str, Any]) -> dict[str, Any]:
    """The form from before the queue was an Optimizer: its optimizer's state under a key of its own."""
    own = {key: state[key] for key in ("settings", "time", "stored")}
    return {"optimizer": {key: state[key] for key in ("state", "param_groups")}, **own}


def test_a_state_of_the_earlier_form_loads() -> None:
    model, queue = make()
    train(model, queue, range(5))
    saved = copy.deepcopy({"model": model.state_dict(), "queue": as_saved_before(queue.state_dict())})
    expected = train(model, queue, range(5, 11))
    model, queue = make()
    model.load_state_dict(saved["model"])
    queue.load_state_dict(saved["queue"])
    assert torch.equal(train(model, queue, range(5, 11)), expected)
    fewer_steps(saved["queue"])
    with pytest.raises(ValueError, match="gradients of 2 steps"):
        queue.load_state_dict(saved["queue"])


@pytest.mark.parametrize("earlier_form", [False, True])
def test_gradients_from_before_a_group_was_added_are_saved_and_loaded(earlier_form: bool) -> None:
    def grown() -> tuple[nn.Module, GradientQueue, nn.Parameter]:
        model, queue = make()
        return model, queue, nn.Parameter(torch.ones(2, dtype=torch.float64))

    model, queue, extra = grown()
    train(model, queue, range(3))
    queue.add_param_group({"params": [extra]})
    train(model, queue, range(3, 5))
    state = copy.deepcopy(queue.state_dict())
    if earlier_form:
        state = as_saved_before(state)
        state["stored"][0] = state["stored"][0][:4]
    weights = copy.deepcopy(model.state_dict())
    expected = train(model, queue, range(5, 10))
    model, queue, extra = grown()
    queue.add_param_group({"params": [extra]})
    model.load_state_dict(weights)
    queue.load_state_dict(state)
    assert torch.equal(train(model, queue, range(5, 10)), expected)


def test_storage_of_another_dtype_is_checked_too() -> None:
    model, queue = make(storage=torch.bfloat16)
    train(model, queue, range(5))
    state = copy.deepcopy(queue.state_dict())
    other_model, other = make(storage=torch.bfloat16)
    other.load_state_dict(state)
    state["stored"][0][0] = state["stored"][0][0].double()
    with pytest.raises(ValueError, match="dtype torch.float64, where .* torch.bfloat16"):
        other.load_state_dict(state)
