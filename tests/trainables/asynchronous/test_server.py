"""The parameter server without a network, against gradient queues and slow twins, bit for bit."""

import random
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

from tautune.trainables.asynchronous.flat import Flat
from tautune.trainables.asynchronous.modes import parse_mode
from tautune.trainables.asynchronous.replay import queue_delays
from tautune.trainables.asynchronous.server import ParameterServer
from tautune.trainables.asynchronous.wire import GRADIENT, Header
from tautune.trainables.delay import GradientQueue, ShiftedMomentumSGD
from tautune.trainables.delay.arriving import ArrivingGradients
from tautune.trainables.delay.remedies.delay_compensation import DelayCompensation
from tautune.trainables.delay.remedies.staleness_aware import StalenessAware
from tautune.trainables.delay.remedies.weight_prediction import WeightPrediction
from tests.trainables.asynchronous.in_process import Together
from tests.trainables.delay.small_training import OPTIMIZERS, backward, batch, make_model, run

UPDATES = 30


def arrivals(workers: int, seed: int, count: int = 400) -> list[int]:
    """Workers in the order in which their gradients come, the last of them three times as slow as the others."""
    generator = random.Random(seed)
    return generator.choices(range(workers), [3] * (workers - 1) + [1], k=count)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("seed", [0, 1])
def test_workers_in_turn_are_a_queue_bit_for_bit(name: str, seed: int) -> None:
    """Whatever order their gradients come in. The velocities of shifted momentum are the workers'."""
    together = Together(OPTIMIZERS[name], 4, "round-robin")
    path = together.finish(arrivals(4, seed))[:UPDATES]
    model = make_model()
    expected = run(model, GradientQueue(OPTIMIZERS[name](model.parameters()), 3), range(UPDATES + 3))[3:]
    assert torch.equal(torch.stack(path), torch.stack(expected))
    rows = together.rows[:UPDATES]
    assert [row.age for row in rows] == [0, 1, 2] + [3] * (UPDATES - 3)
    assert [row.batch for row in rows] == list(range(UPDATES))
    assert [row.worker for row in rows] == [number % 4 for number in range(UPDATES)]


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("mode", ["as-they-come", "wait:6"])
def test_gradients_as_they_come_are_a_queue_whose_delay_was_recorded(name: str, mode: str) -> None:
    together = Together(OPTIMIZERS[name], 4, mode)
    path = together.finish(arrivals(4, 2))[:UPDATES]
    rows = together.rows[:UPDATES]
    recorded = queue_delays(rows, workers=4)
    assert len(set(recorded.delays)) > 3
    model = make_model()
    queue = GradientQueue(OPTIMIZERS[name](model.parameters()), recorded.delays)
    expected = run(model, queue, range(UPDATES + 3))[3:]
    assert torch.equal(torch.stack(path), torch.stack(expected))
    if mode == "wait:6":
        assert max(row.age for row in together.rows) <= 6


@pytest.mark.parametrize(
    "remedy",
    [
        lambda o: DelayCompensation(o, 0.5),
        lambda o: WeightPrediction(o, 3),
        lambda o: WeightPrediction(DelayCompensation(o, 0.5), 2),
    ],
    ids=["compensation", "prediction", "both"],
)
def test_remedies_do_at_a_server_what_they_do_around_a_queue(remedy: Any) -> None:
    together = Together(lambda p: remedy(ArrivingGradients(OPTIMIZERS["momentum"](p))), 4, "round-robin")
    path = together.finish(arrivals(4, 3))[:UPDATES]
    model = make_model()
    optimizer = remedy(GradientQueue(OPTIMIZERS["momentum"](model.parameters()), 3))
    expected = []
    for t in range(UPDATES + 3):
        optimizer.zero_grad()
        if hasattr(optimizer, "predicted"):
            with optimizer.predicted():
                backward(model, t)
        else:
            backward(model, t)
        optimizer.step()
        expected.append(parameters_to_vector(model.parameters()).detach().clone())
    assert torch.equal(torch.stack(path), torch.stack(expected[3:]))


def test_a_remedy_by_age_knows_every_gradients_own_age() -> None:
    together = Together(lambda p: StalenessAware(ArrivingGradients(torch.optim.SGD(p, 0.1))), 3, "as-they-come")
    path = together.finish(arrivals(3, 4))
    start = parameters_to_vector(make_model().parameters()).detach()
    history = [start, *path]
    for row in together.rows[:UPDATES]:
        model = make_model()
        torch.nn.utils.vector_to_parameters(history[row.step - row.age], model.parameters())
        model.zero_grad()
        backward(model, row.batch)
        gradient = parameters_to_vector([p.grad for p in model.parameters()])  # type: ignore[misc]
        expected = history[row.step] - 0.1 / max(row.age, 1) * gradient
        torch.testing.assert_close(history[row.step + 1], expected, rtol=0, atol=1e-14)


def test_synchronous_workers_are_one_large_batch() -> None:
    together = Together(OPTIMIZERS["momentum"], 4, "synchronous")
    path = together.finish(arrivals(4, 5))[:8]
    model = make_model()
    optimizer = OPTIMIZERS["momentum"](model.parameters())
    for t, weights in enumerate(path):
        inputs, targets = (torch.cat(parts) for parts in zip(*(batch(4 * t + n) for n in range(4)), strict=True))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
        torch.testing.assert_close(weights, parameters_to_vector(model.parameters()), rtol=0, atol=1e-14)
    assert {row.age for row in together.rows} == {0}


def test_what_is_too_old_is_dropped_and_the_worker_begins_anew() -> None:
    together = Together(OPTIMIZERS["sgd"], 4, "drop:3")
    together.finish([0, 1, 2, 0, 1, 2, 3, 0])
    assert together.server.dropped == 1
    assert max(row.age for row in together.rows) <= 3
    assert [row.worker for row in together.rows] == [0, 1, 2, 0, 1, 2, 0]


def test_a_buffer_averages_gradients_of_several_ages_and_nobody_waits() -> None:
    together = Together(OPTIMIZERS["sgd"], 3, "buffered:2")
    together.finish([0, 0, 1, 0])
    assert [(row.step, row.worker, row.age) for row in together.rows] == [(0, 0, 0), (0, 0, 0), (1, 1, 1), (1, 0, 0)]
    model, weights = make_model(), parameters_to_vector(make_model().parameters()).detach()
    backward(model, together.rows[0].batch)
    backward(model, together.rows[1].batch)
    gradient = parameters_to_vector([p.grad for p in model.parameters()])  # type: ignore[misc]
    torch.testing.assert_close(together.path[0], weights - 0.1 * gradient / 2, rtol=0, atol=1e-15)


def test_a_parameter_without_a_gradient_is_left_alone() -> None:
    class Sometimes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))

    def gradient(model: Any, number: int) -> None:
        (model.used.sum() + (model.unused.sum() if number == 1 else 0)).backward()

    together = Together(
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), 3, "round-robin", make=Sometimes, gradient=gradient
    )
    together.finish([0, 1, 2])
    model: Any = together.model
    assert torch.allclose(model.unused, torch.full((2,), 0.9))
    assert torch.allclose(model.used, torch.full((2,), 1 - 0.1 * (1 + 1.9 + 2.71)))


def test_running_estimates_are_the_mean_of_the_workers() -> None:
    def make() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)).double()

    together = Together(OPTIMIZERS["sgd"], 3, "round-robin", make=make)
    together.finish([0, 1, 2, 0, 1])
    together.server.settle()
    own: Any = together.model[1]  # type: ignore[index]
    theirs: list[Any] = [copy[1].running_mean for copy in together.copies]  # type: ignore[index]
    assert torch.equal(own.running_mean, torch.stack(theirs).mean(0))
    assert int(own.num_batches_tracked) == 2


def test_a_lost_worker_holds_up_nobody_and_its_batch_is_done_by_another() -> None:
    together = Together(OPTIMIZERS["sgd"], 3, "round-robin")
    together.server.lost(0)
    together.server.is_idle = lambda worker: worker != 0 and ParameterServer.is_idle(together.server, worker)  # type: ignore[method-assign]
    together.finish([1, 2, 1, 2])
    assert [row.batch for row in together.rows] == [1, 2, 0, 3]
    assert [row.step for row in together.rows] == [0, 1, 2, 3]


@pytest.mark.parametrize("mode", ["round-robin", "as-they-come"])
def test_a_gradient_is_applied_once(mode: str) -> None:
    """One that comes twice, or that was asked for before its worker was lost, is not."""
    together = Together(OPTIMIZERS["sgd"], 2, mode)
    out = together.server.out[0]
    together.server.lost(0)
    together.settle()
    assert together.server.out[0].number > out.number
    together.server.came(0, Header(GRADIENT, out.number), together.server.room())
    together.settle()
    assert together.rows == []


@pytest.mark.parametrize("name", ["momentum", "adam", "shifted"])
def test_goes_on_from_a_saved_state_bit_for_bit(name: str) -> None:
    whole = Together(OPTIMIZERS[name], 4, "round-robin")
    whole.finish(list(range(4)) * 8)
    first = Together(OPTIMIZERS[name], 4, "round-robin")
    first.finish(list(range(4)) * 3)
    for worker in (3, 1, 0, 2):  # the gradients that are under way come, and are not applied
        first.settle = lambda: None  # type: ignore[method-assign]
        first.finish([worker])
    state = (first.model.state_dict(), first.server.optimizer.state_dict(), first.server.state_dict())
    second = Together(OPTIMIZERS[name], 4, "round-robin")
    second.model.load_state_dict(state[0])
    second.server.optimizer.load_state_dict(state[1])
    second.server.load_state_dict(state[2])
    second.path, second.rows = [], []
    second.settle()
    second.finish(list(range(4)) * 4)
    assert len(second.path) >= 16
    assert torch.equal(torch.stack(second.path[:16]), torch.stack(whole.path[12:28]))
    assert second.rows[:16] == whole.rows[12:28]


@pytest.mark.parametrize(
    ("text", "workers", "words"),
    [
        ("sometimes", 4, "mode must be as-they-come, round-robin, synchronous, wait:AGE, drop:AGE or buffered:K, not"),
        ("wait", 4, "mode must be"),
        ("buffered:0", 4, "the buffer must hold an integer of at least 1"),
        ("wait:2", 4, "the largest age must be at least 3 to wait for 4 workers"),
    ],
)
def test_a_mode_that_cannot_be_is_told(text: str, workers: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_mode(text).check(workers)


def test_an_optimizer_with_a_delay_of_its_own_is_refused() -> None:
    model = make_model()
    queue = GradientQueue(ShiftedMomentumSGD(model.parameters(), 0.1, momentum=0.9), 3)
    with pytest.raises(ValueError, match="without a delay, not GradientQueue"):
        ParameterServer(model, queue, parse_mode("round-robin"), 4)
    with pytest.raises(ValueError, match="go around ArrivingGradients"):
        ParameterServer(model, StalenessAware(queue), parse_mode("round-robin"), 4)
    remedy = StalenessAware(ArrivingGradients(torch.optim.SGD(model.parameters(), 0.1)))
    with pytest.raises(ValueError, match="a buffer averages those of several"):
        ParameterServer(model, remedy, parse_mode("buffered:2"), 4)


def test_channels_that_come_last_stay_last() -> None:
    model = nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last)
    expected = [p.detach().clone() for p in model.parameters()]
    flat = Flat(model.parameters())
    flat.adopt(model.parameters())
    assert model.weight.is_contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(p, before) for p, before in zip(model.parameters(), expected, strict=True))
    assert model.weight.data_ptr() == flat.block.data_ptr()
