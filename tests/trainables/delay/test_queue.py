import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector

from tautune.trainables.delay import GradientQueue, RandomDelay, RecordedDelay, ShiftedMomentumSGD
from tests.trainables.delay import queue_reference as delay_reference
from tests.trainables.delay.small_training import OPTIMIZERS, STEPS, backward, batch, gradient_at, make_model, run


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
        for gradients in queue._lanes.lanes[0].stored:
            kept.setdefault(id(gradients), (gradients, copy.deepcopy(gradients)))
        for gradients, copies in kept.values():
            if any(gradients is stored for stored in queue._lanes.lanes[0].stored):
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
        assert len(queue._lanes.lanes[0].stored) == min(t + 1, 5)
        assert [g.data_ptr() for g in queue._lanes.lanes[0].stored[-1] if g is not None] == fresh


def test_bfloat16_storage_costs_precision_and_nothing_else() -> None:
    exact, rounded = make_model(), make_model()
    queue = GradientQueue(torch.optim.SGD(rounded.parameters(), 0.1), 3, storage=torch.bfloat16)
    expected = run(exact, GradientQueue(torch.optim.SGD(exact.parameters(), 0.1), 3), range(30))[-1]
    result = run(rounded, queue, range(30))[-1]
    assert all(
        g is not None and g.dtype == torch.bfloat16 for gradients in queue._lanes.lanes[0].stored for g in gradients
    )
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
        assert all(g is not None and g.is_cuda for gradients in queue._lanes.lanes[0].stored for g in gradients)
    torch.testing.assert_close(parameters_to_vector(cuda.parameters()).cpu(), expected)


def test_an_applied_gradient_is_copied_only_where_it_is_kept() -> None:
    model = make_model()
    queue = GradientQueue(torch.optim.SGD(model.parameters(), 0.1), 2)
    for t in range(6):
        queue.zero_grad()
        backward(model, t)
        oldest = queue._lanes.lanes[0].stored[0] if len(queue._lanes.lanes[0].stored) == 2 else None
        queue.step()
        if oldest is not None:
            assert all(p.grad is g for p, g in zip(model.parameters(), oldest, strict=True))


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="storage must be a floating-point dtype"):
        GradientQueue(torch.optim.SGD(make_model().parameters(), 0.1), 1, storage=torch.int8)
    with pytest.raises(ValueError, match="seed must be at least 0"):
        RandomDelay(probabilities=(1.0,), seed=-1)


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
