"""Two processes with real pipes between them: a pipeline that stashes weights, and an optimizer that is offloaded.

The first is what `WeightStashing` computes, the second what `GradientQueue` with a delay for each group computes, both
bit for bit.
"""

import multiprocessing
from collections import deque
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector

from tautune.trainables.delay import GradientQueue
from tautune.trainables.delay.pipeline import pipeline_delays
from tautune.trainables.delay.weight_stashing import WeightStashing
from tests.trainables.delay.small_training import backward, batch, make_model, run

STEPS = 12
DEPTHS = (1, 3)
"""How many batches the first process is ahead of the second."""


def two_stages() -> tuple[nn.Sequential, nn.Sequential]:
    """Returns the first layer with its activation, and the last layer."""
    model: Any = make_model()
    return model[:2], model[2:]


def optimizer_of(stage: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(stage.parameters(), 0.2, momentum=0.9)


def send(pipe: Connection, *tensors: Tensor | None) -> None:
    """Sends copies of tensors: as they are, torch would share their memory."""
    pipe.send([None if tensor is None else tensor.detach().numpy() for tensor in tensors])


def receive(pipe: Connection) -> list[Tensor]:
    return [torch.from_numpy(array) for array in pipe.recv()]


def second_process(pipe: Connection) -> None:
    """Is the last stage of a pipeline, and then the offloaded optimizer of the first one, at each depth."""
    torch.set_num_threads(1)
    for _ in DEPTHS:
        _, stage = two_stages()
        optimizer = optimizer_of(stage)
        for t in range(STEPS):
            activations = receive(pipe)[0].requires_grad_()
            optimizer.zero_grad()
            cross_entropy(stage(activations), batch(t)[1]).backward()
            optimizer.step()
            send(pipe, activations.grad)
        send(pipe, parameters_to_vector(stage.parameters()))
    for _ in DEPTHS:
        stage, _ = two_stages()
        optimizer = optimizer_of(stage)
        for _ in range(STEPS):
            for parameter, gradient in zip(stage.parameters(), receive(pipe), strict=True):
                parameter.grad = gradient
            optimizer.step()
            send(pipe, *stage.parameters())


def first_stage(pipe: Connection, depth: int) -> Tensor:
    """Runs a pipeline's first stage, one forward and one backward pass in turn. Returns the weights of both stages."""
    stage, _ = two_stages()
    optimizer = optimizer_of(stage)
    stashed: deque[tuple[dict[str, Tensor], Tensor]] = deque()

    def forward(t: int) -> None:
        weights = {name: p.detach().clone().requires_grad_() for name, p in stage.named_parameters()}
        activations = functional_call(stage, weights, batch(t)[0])
        stashed.append((weights, activations))
        send(pipe, activations)

    for t in range(depth):
        forward(t)
    for t in range(STEPS):
        if t + depth < STEPS:
            forward(t + depth)
        weights, activations = stashed.popleft()
        activations.backward(receive(pipe)[0])
        for name, parameter in stage.named_parameters():
            parameter.grad = weights[name].grad
        optimizer.step()
    return torch.cat([parameters_to_vector(stage.parameters()).detach(), *receive(pipe)])


def trainer_with_offloaded_optimizer(pipe: Connection, depth: int) -> Tensor:
    """Trains with consistent weights, the first stage's by the other process, late. Returns all weights."""
    model: Any = make_model()
    here = optimizer_of(model[2:])
    for t in range(STEPS):
        model.zero_grad()
        backward(model, t)
        send(pipe, *(parameter.grad for parameter in model[:2].parameters()))
        here.step()
        if t >= depth:
            with torch.no_grad():
                for parameter, updated in zip(model[:2].parameters(), receive(pipe), strict=True):
                    parameter.copy_(updated)
    for _ in range(depth):  # on their way when training ends
        pipe.recv()
    return parameters_to_vector(model.parameters()).detach()


@pytest.fixture(scope="module")
def measured() -> Iterator[dict[tuple[str, int], Tensor]]:
    """The weights with which two processes end, for each kind and depth."""
    context = multiprocessing.get_context("spawn")
    pipe, other = context.Pipe()
    process = context.Process(target=second_process, args=(other,), daemon=True)
    process.start()
    found = {("pipeline", depth): first_stage(pipe, depth) for depth in DEPTHS}
    found |= {("offloaded", depth): trainer_with_offloaded_optimizer(pipe, depth) for depth in DEPTHS}
    yield found
    process.join(timeout=60)
    process.kill()


def groups() -> tuple[nn.Module, list[dict[str, Any]]]:
    model = make_model()
    return model, pipeline_delays(model, ["0", "2"])[0]


@pytest.mark.parametrize("depth", DEPTHS)
def test_weight_stashing_is_a_pipeline_bit_for_bit(depth: int, measured: dict[tuple[str, int], Tensor]) -> None:
    model, of_stages = groups()
    delays = {"stage0": depth, "stage1": 0}
    if depth == 1:
        assert delays == pipeline_delays(model, ["0", "2"])[1]
    optimizer = WeightStashing(torch.optim.SGD(of_stages, 0.2, momentum=0.9), delays)
    for t in range(STEPS):
        optimizer.zero_grad()
        with optimizer.stashed():
            backward(model, t)
        optimizer.step()
    assert torch.equal(parameters_to_vector(model.parameters()), measured["pipeline", depth])


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_queue_by_group_is_an_offloaded_optimizer_bit_for_bit(
    depth: int, measured: dict[tuple[str, int], Tensor]
) -> None:
    model, of_stages = groups()
    queue = GradientQueue(torch.optim.SGD(of_stages, 0.2, momentum=0.9), {"stage0": depth, "stage1": 0})
    assert torch.equal(run(model, queue, range(STEPS))[-1], measured["offloaded", depth])


def test_the_two_meanings_differ(measured: dict[tuple[str, int], Tensor]) -> None:
    for depth in DEPTHS:
        assert not torch.allclose(measured["offloaded", depth], measured["pipeline", depth], rtol=1e-3)
