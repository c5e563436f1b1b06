import copy
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from tautune.trainables.delay import GradientQueue, RandomDelay, RecordedDelay, ShiftedMomentumSGD
from tests.trainables.delay import queue_reference as delay_reference

STEPS = 80
Optimizers = Callable[[Any], torch.optim.Optimizer]
OPTIMIZERS: dict[str, Optimizers] = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1),
    "momentum": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, weight_decay=1e-3),
    "nesterov": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, 0.01),
    "adamw": lambda p: torch.optim.AdamW(p, 0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 0.01),
    "adagrad": lambda p: torch.optim.Adagrad(p, 0.05),
    "shifted": lambda p: ShiftedMomentumSGD(p, 0.05, momentum=0.9, shift=3),
}


def make_model(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def batch(t: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(t)
    inputs = torch.randn(8, 6, dtype=torch.float64, generator=generator)
    return inputs, torch.randint(3, (8,), generator=generator)


def backward(model: nn.Module, t: int) -> None:
    inputs, targets = batch(t)
    cross_entropy(model(inputs), targets).backward()


def run(model: nn.Module, optimizer: Any, steps: range) -> list[Tensor]:
    path = []
    for t in steps:
        optimizer.zero_grad()
        backward(model, t)
        optimizer.step()
        path.append(parameters_to_vector(model.parameters()).detach().clone())
    return path


def gradient_at(weights: Tensor, t: int) -> Tensor:
    model = make_model()
    vector_to_parameters(weights, model.parameters())
    backward(model, t)
    return parameters_to_vector([p.grad for p in model.parameters()])  # type: ignore[misc]


@pytest.mark.parametrize(("momentum", "shifted"), [(0.0, False), (0.9, False), (0.9, True)])
@pytest.mark.parametrize("delay", [0, 1, 2, 7, 31])
def test_agrees_with_the_reference(delay: int, momentum: float, shifted: bool) -> None:
    model = make_model()
    expected = delay_reference.train(
        parameters_to_vector(model.parameters()).detach(),
        gradient_at,
        learning_rate=0.3,
        momentum=momentum,
        shifted=shifted,
        delays=[delay] * STEPS,
    )
    optimizer: torch.optim.Optimizer = torch.optim.SGD(model.parameters(), 0.3)
    if momentum:
        shift = delay if shifted else 0
        optimizer = ShiftedMomentumSGD(model.parameters(), 0.3, momentum=momentum, shift=shift)
    path = run(model, GradientQueue(optimizer, delay), range(STEPS))
    assert float((expected[-1] - expected[0]).norm()) > 0.1  # it trained
    torch.testing.assert_close(torch.stack(path), torch.stack(expected[1:]), rtol=0, atol=1e-13)


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


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_delay_zero_is_the_bare_optimizer_bit_for_bit(name: str) -> None:
    bare, queued = make_model(), make_model()
    expected = run(bare, OPTIMIZERS[name](bare.parameters()), range(20))
    path = run(queued, GradientQueue(OPTIMIZERS[name](queued.parameters()), 0), range(20))
    assert torch.equal(torch.stack(path), torch.stack(expected))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_first_update_is_at_step_tau_with_the_first_gradient(name: str) -> None:
    delayed, bare = make_model(), make_model()
    path = run(delayed, GradientQueue(OPTIMIZERS[name](delayed.parameters()), 4), range(5))
    start = parameters_to_vector(bare.parameters()).detach()
    assert all(torch.equal(x, start) for x in path[:4])
    (expected,) = run(bare, OPTIMIZERS[name](bare.parameters()), range(1))
    assert torch.equal(path[4], expected)


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


def test_a_parameter_without_gradient_is_left_alone_for_that_step() -> None:
    used, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    queue = GradientQueue(torch.optim.SGD([used, unused], 0.1, momentum=0.9), 2)
    for t in range(5):
        queue.zero_grad()
        (used.sum() + (unused.sum() if t == 1 else 0)).backward()
        queue.step()
    # its one gradient, of step 1, arrived at step 3; at step 4 it had none, so momentum did not move it either
    assert torch.allclose(unused, torch.full((2,), 0.9))
    assert torch.allclose(used, torch.full((2,), 1 - 0.1 * (1 + 1.9 + 2.71)))


def test_parameter_groups_keep_their_settings_and_may_be_added() -> None:
    a, b, c = (nn.Parameter(torch.ones(1)) for _ in range(3))
    queue = GradientQueue(torch.optim.SGD([{"params": [a], "lr": 0.1}, {"params": [b], "lr": 0.2}], 1.0), 1)

    def step() -> None:
        queue.zero_grad()
        (a + b + c).sum().backward()
        queue.step()

    step()
    queue.optimizer.add_param_group({"params": [c], "lr": 0.4})
    step()  # applies the gradients of the first step, which c was not part of
    assert (a.item(), b.item(), c.item()) == pytest.approx((0.9, 0.8, 1.0))
    step()
    assert (a.item(), b.item(), c.item()) == pytest.approx((0.8, 0.6, 0.6))


def test_clipping_between_backward_and_step_clips_the_gradient_that_is_stored() -> None:
    model = make_model()
    queue = GradientQueue(torch.optim.SGD(model.parameters(), 1.0), 2)
    start = parameters_to_vector(model.parameters()).detach().clone()
    for t in range(3):
        queue.zero_grad()
        backward(model, t)
        nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
        queue.step()
    moved = parameters_to_vector(model.parameters()).detach() - start
    assert float(moved.norm()) == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("delay", [4, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 1, 1]])
@pytest.mark.parametrize("set_to_none", [True, False])
def test_stored_gradients_are_never_edited(delay: Any, set_to_none: bool) -> None:
    """Whatever the caller does to `.grad` in place after a step, or with `zero_grad(set_to_none=False)`."""
    model = make_model()
    queue = GradientQueue(torch.optim.SGD(model.parameters(), 0.1), delay)
    kept: dict[int, tuple[list[Tensor | None], list[Tensor | None]]] = {}
    for t in range(12):
        queue.zero_grad(set_to_none=set_to_none)
        backward(model, t)
        queue.step()
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad.mul_(100)
        for gradients in queue._stored:
            kept.setdefault(id(gradients), (gradients, copy.deepcopy(gradients)))
        for gradients, copies in kept.values():
            if any(gradients is stored for stored in queue._stored):
                for g, c in zip(gradients, copies, strict=True):
                    assert g is not None
                    assert c is not None
                    assert torch.equal(g, c)


def test_memory_is_tau_gradients_held_by_reference() -> None:
    model = make_model()
    queue = GradientQueue(torch.optim.SGD(model.parameters(), 0.1), 5)
    for t in range(9):
        queue.zero_grad()
        backward(model, t)
        fresh = [p.grad.data_ptr() for p in model.parameters() if p.grad is not None]
        queue.step()
        assert len(queue._stored) == min(t + 1, 5)
        assert [g.data_ptr() for g in queue._stored[-1] if g is not None] == fresh


def test_bfloat16_storage_costs_precision_and_nothing_else() -> None:
    exact, rounded = make_model(), make_model()
    queue = GradientQueue(torch.optim.SGD(rounded.parameters(), 0.1), 3, storage=torch.bfloat16)
    expected = run(exact, GradientQueue(torch.optim.SGD(exact.parameters(), 0.1), 3), range(30))[-1]
    result = run(rounded, queue, range(30))[-1]
    assert all(g is not None and g.dtype == torch.bfloat16 for gradients in queue._stored for g in gradients)
    difference = float((result - expected).norm() / expected.norm())
    assert 0 < difference < 2**-8


def test_closure() -> None:
    plain, closed = make_model(), make_model()
    expected = run(plain, GradientQueue(torch.optim.SGD(plain.parameters(), 0.1), 2), range(6))[-1]
    queue = GradientQueue(torch.optim.SGD(closed.parameters(), 0.1), 2)
    for t in range(6):

        def closure(t: int = t) -> float:
            queue.zero_grad()
            backward(closed, t)
            return float(t)

        assert queue.step(closure) == t
    assert torch.equal(parameters_to_vector(closed.parameters()), expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_parameters_on_cuda_agree_with_the_cpu() -> None:
    cpu, cuda = make_model(), make_model().cuda()
    expected = run(cpu, GradientQueue(torch.optim.Adam(cpu.parameters()), 3), range(20))[-1]
    queue = GradientQueue(torch.optim.Adam(cuda.parameters()), 3)
    for t in range(20):
        queue.zero_grad()
        inputs, targets = batch(t)
        cross_entropy(cuda(inputs.cuda()), targets.cuda()).backward()
        queue.step()
        assert all(g is not None and g.is_cuda for gradients in queue._stored for g in gradients)
    torch.testing.assert_close(parameters_to_vector(cuda.parameters()).cpu(), expected)


@pytest.mark.parametrize("delay", [-1, 1.5, [1, -2], [], "x"])
def test_delays_that_are_none_are_refused(delay: Any) -> None:
    with pytest.raises(ValueError, match="delay"):
        GradientQueue(torch.optim.SGD(make_model().parameters(), 0.1), delay)


def test_random_delays_differ_with_the_seed() -> None:
    first, second = (RandomDelay(probabilities=(0.5, 0.5), seed=seed) for seed in (0, 1))
    assert [first.at(t) for t in range(50)] != [second.at(t) for t in range(50)]


def test_an_applied_gradient_is_copied_only_where_it_is_kept() -> None:
    model = make_model()
    queue = GradientQueue(torch.optim.SGD(model.parameters(), 0.1), 2)
    for t in range(6):
        queue.zero_grad()
        backward(model, t)
        oldest = queue._stored[0] if len(queue._stored) == 2 else None
        queue.step()
        if oldest is not None:
            assert all(p.grad is g for p, g in zip(model.parameters(), oldest, strict=True))


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="storage must be a floating-point dtype"):
        GradientQueue(torch.optim.SGD(make_model().parameters(), 0.1), 1, storage=torch.int8)
    with pytest.raises(ValueError, match="seed must be at least 0"):
        RandomDelay(probabilities=(1.0,), seed=-1)


@pytest.mark.parametrize("probabilities", [(), (0.5, 0.4), (1.5, -0.5), (float("nan"), 1.0)])
def test_probabilities_that_are_none_are_refused(probabilities: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="probabilities must be ≥ 0 and sum to 1"):
        RandomDelay(probabilities=probabilities)


def test_lbfgs_has_no_delayed_form() -> None:
    optimizer = torch.optim.LBFGS(make_model().parameters())
    GradientQueue(optimizer, 0)
    with pytest.raises(ValueError, match="delay must be 0 for LBFGS"):
        GradientQueue(optimizer, RecordedDelay((0, 1)))


def test_shifted_momentum_refuses_what_makes_no_sense() -> None:
    parameters = list(make_model().parameters())
    with pytest.raises(ValueError, match="lr must be at least 0"):
        ShiftedMomentumSGD(parameters, -1.0, momentum=0.5)
    with pytest.raises(ValueError, match="momentum must be"):
        ShiftedMomentumSGD(parameters, 0.1, momentum=1.0)
    with pytest.raises(ValueError, match="delay must be"):
        ShiftedMomentumSGD(parameters, 0.1, momentum=0.5, shift=-1)
