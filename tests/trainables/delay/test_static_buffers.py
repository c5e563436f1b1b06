"""Gradients in memory that the next backward pass overwrites, against a list of cloned gradients, bit for bit."""

import ctypes
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from tautune.trainables.delay import GradientQueue, ownership
from tests.trainables.delay.cloned_gradients import ClonedGradients

DELAY, STEPS = 4, 20
Backward = Callable[[nn.Module, int], None]


def make_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def loss_at(model: nn.Module, t: int) -> Tensor:
    generator = torch.Generator().manual_seed(t)
    inputs = torch.randn(8, 6, dtype=torch.float64, generator=generator)
    return cross_entropy(model(inputs), torch.randint(3, (8,), generator=generator))


def train(make: Callable[[torch.optim.Optimizer], Any], prepare: Callable[[nn.Module], Any]) -> list[Tensor]:
    """Returns the weights after each step; `prepare` returns what is done before each backward pass, and after it."""
    model = make_model()
    optimizer = make(torch.optim.SGD(model.parameters(), 0.3, momentum=0.9))
    before, after = prepare(model)
    path = []
    for t in range(STEPS):
        before(optimizer)
        loss_at(model, t).backward()
        after()
        optimizer.step()
        path.append(nn.utils.parameters_to_vector(model.parameters()).detach().clone())
    return path


def nothing(*_: Any) -> None:
    pass


def flat_buffer_attached_once(model: nn.Module) -> Any:
    parameters = list(model.parameters())
    flat = torch.zeros(sum(p.numel() for p in parameters), dtype=torch.float64)
    for p, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
        p.grad = part.view_as(p)
    return lambda _: flat.zero_(), nothing


def buffers_attached_every_step(model: nn.Module) -> Any:
    buffers = {p: torch.zeros_like(p) for p in model.parameters()}

    def before(_: Any) -> None:
        for p, buffer in buffers.items():
            p.grad = buffer.zero_().detach()

    return before, nothing


def copied_into_buffers(model: nn.Module) -> Any:
    buffers = {p: torch.zeros_like(p) for p in model.parameters()}

    def after() -> None:
        for p, buffer in buffers.items():
            assert p.grad is not None
            p.grad = buffer.copy_(p.grad).data

    return lambda optimizer: optimizer.zero_grad(), after


def zeroed_in_place(model: nn.Module) -> Any:
    return lambda optimizer: optimizer.zero_grad(set_to_none=False), nothing


def held_by_the_caller(model: nn.Module) -> Any:
    seen: list[Tensor | None] = []
    return lambda optimizer: optimizer.zero_grad(), lambda: seen.extend(p.grad for p in model.parameters())


def accumulated(model: nn.Module) -> Any:
    def before(optimizer: Any) -> None:
        optimizer.zero_grad()
        loss_at(model, 1000).backward()

    return before, nothing


def clipped(model: nn.Module) -> Any:
    return lambda o: o.zero_grad(), lambda: nn.utils.clip_grad_norm_(model.parameters(), 0.05)


WAYS = [
    flat_buffer_attached_once,
    buffers_attached_every_step,
    copied_into_buffers,
    held_by_the_caller,
    accumulated,
    clipped,
]


@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_agrees_with_cloned_gradients(way: Any, copy: bool) -> None:
    expected = train(lambda o: ClonedGradients(o, DELAY), way)
    path = train(lambda o: GradientQueue(o, DELAY, copy=copy), way)
    assert not torch.equal(expected[-1], train(lambda o: o, way)[-1])  # the delay shows
    assert torch.equal(torch.stack(path), torch.stack(expected))


@pytest.mark.parametrize("way", WAYS)
def test_without_reference_counts_every_gradient_is_copied(way: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = train(lambda o: ClonedGradients(o, DELAY), way)
    monkeypatch.setattr(ownership, "_WHEN_OWNED", None)
    assert torch.equal(torch.stack(train(lambda o: GradientQueue(o, DELAY), way)), torch.stack(expected))


def test_gradients_zeroed_in_place_are_late_too() -> None:
    """Whoever zeroes in place must not zero the stored ones; the oracle zeroes what the step before computed."""
    expected = train(lambda o: ClonedGradients(o, DELAY), zeroed_in_place)
    for copy in (False, True):
        path = train(lambda o, copy=copy: GradientQueue(o, DELAY, copy=copy), zeroed_in_place)  # type: ignore[misc]
        assert torch.equal(torch.stack(path), torch.stack(expected))


def test_a_buffer_is_left_in_grad_with_what_it_holds() -> None:
    model = make_model()
    queue = GradientQueue(torch.optim.SGD(model.parameters(), 0.1), 1)
    before, _ = flat_buffer_attached_once(model)
    buffers = [p.grad for p in model.parameters()]
    for t in range(3):
        before(queue)
        loss_at(model, t).backward()
        fresh = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        queue.step()
        assert all(p.grad is buffer for p, buffer in zip(model.parameters(), buffers, strict=True))
        assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), fresh, strict=True))  # type: ignore[arg-type]


def replayed(make: Callable[[torch.optim.Optimizer], Any]) -> list[Tensor]:
    """Trains as behind a CUDA graph: from the second step on, gradients are written where the first ones lay."""
    model = make_model()
    optimizer = make(torch.optim.SGD(model.parameters(), 0.3))
    loss_at(model, 0).backward()
    addresses = [p.grad.data_ptr() for p in model.parameters() if p.grad is not None]
    path = []
    for t in range(STEPS):
        for address, gradient in zip(
            addresses, torch.autograd.grad(loss_at(model, t), list(model.parameters())), strict=True
        ):
            ctypes.memmove(address, gradient.data_ptr(), gradient.nbytes)
        optimizer.step()
        path.append(nn.utils.parameters_to_vector(model.parameters()).detach().clone())
    return path


def test_gradients_that_are_written_unseen_are_refused_unless_they_are_copied() -> None:
    expected = replayed(lambda o: ClonedGradients(o, DELAY))
    assert torch.equal(torch.stack(replayed(lambda o: GradientQueue(o, DELAY, copy=True))), torch.stack(expected))
    with pytest.raises(ValueError, match="pass copy=True"):
        replayed(lambda o: GradientQueue(o, DELAY))


def test_memory_of_another_library_is_refused_unless_it_is_copied() -> None:
    p = nn.Parameter(torch.zeros(3))
    memory = torch.zeros(3).numpy()
    queue = GradientQueue(torch.optim.SGD([p], 0.1), 2)
    p.grad = torch.from_numpy(memory)
    queue.step()
    p.grad = torch.from_numpy(memory)
    with pytest.raises(ValueError, match="pass copy=True"):
        queue.step()


@pytest.mark.parametrize(
    "model",
    [
        nn.LSTM(6, 5, 2),
        nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0),
        nn.Sequential(nn.Conv1d(7, 4, 3), nn.BatchNorm1d(4), nn.ReLU()),
    ],
    ids=["lstm", "encoder", "batch norm"],
)
def test_networks_keep_their_gradients_by_reference_and_agree_with_cloned_gradients(model: nn.Module) -> None:
    start = {name: value.clone() for name, value in model.state_dict().items()}
    paths = []
    for make in (ClonedGradients, GradientQueue):
        model.load_state_dict(start)
        optimizer = make(torch.optim.AdamW(model.parameters(), 0.01), 2)
        for t in range(8):
            torch.manual_seed(t)
            optimizer.zero_grad()
            outputs = model(torch.randn(4, 7, 6))
            outputs = outputs[0] if isinstance(outputs, tuple) else outputs
            mse_loss(outputs, torch.ones_like(outputs)).backward()
            fresh = [p.grad.data_ptr() for p in model.parameters() if p.grad is not None]
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            if isinstance(optimizer, GradientQueue):
                assert [g.data_ptr() for g in optimizer._lanes.lanes[0].stored[-1] if g is not None] == fresh
        paths.append(nn.utils.parameters_to_vector(model.parameters()).detach().clone())
    assert torch.equal(paths[0], paths[1])


def test_sparse_gradients_are_late_too() -> None:
    paths = []
    for make in (ClonedGradients, GradientQueue):
        torch.manual_seed(0)
        model = nn.Embedding(10, 3, sparse=True)
        optimizer = make(torch.optim.SparseAdam(model.parameters(), 0.1), 3)
        for t in range(8):
            optimizer.zero_grad()
            model(torch.tensor([t % 10, 3])).square().sum().backward()
            optimizer.step()
        paths.append(model.weight.detach().clone())
    assert torch.equal(paths[0], paths[1])


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph")
def test_a_graph_behind_a_gradient_is_not_kept() -> None:
    model = make_model()
    queue = GradientQueue(torch.optim.SGD(model.parameters(), 0.1), 3)
    loss_at(model, 0).backward(create_graph=True)
    queue.step()
    assert all(g is not None and g.grad_fn is None for g in queue._lanes.lanes[0].stored[0])
