"""Stages with real sockets between them, as threads of this process: what such a pipeline computes, bit for bit."""

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector

import tautune
from tautune.trainables.asynchronous.cutting import cut
from tautune.trainables.asynchronous.part import OwnPart
from tautune.trainables.asynchronous.stage import Stage, Update
from tautune.trainables.delay.pipeline import pipeline_delays
from tautune.trainables.delay.weight_stashing import WeightStashing
from tests.trainables.delay.small_training import batch

STEPS = 14


def deep(normalized: bool = False, frozen: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    middle = [nn.BatchNorm1d(5)] if normalized else [nn.Linear(5, 5)]
    layers = [nn.Linear(6, 5), nn.Tanh(), *middle, nn.Tanh(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 3)]
    layers[0].weight.requires_grad_(not frozen)
    return nn.Sequential(*layers).double()


def momentum(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, 0.2, momentum=0.9)


def stages_of(model: nn.Sequential, number: int, *, stashing: bool) -> list[Stage]:
    made = (OwnPart(part, momentum, (batch, cross_entropy)) for part in cut(model, number))
    return [Stage(part, n, number, stashing=stashing) for n, part in enumerate(made)]


def run(stages: list[Stage], updates: int) -> list[list[Update]]:
    """Connects stages, has them make so many updates, and ends them; returns what each of them reported."""
    where = [stage.listen("127.0.0.1") for stage in stages]
    with ThreadPoolExecutor(len(stages)) as pool:
        list(pool.map(lambda s, w: s.connect(*w), stages, [*where[1:], (None, b"")]))
        first = list(pool.map(lambda s: s.run(updates // 2), stages))
        second = list(pool.map(lambda s: s.run(updates - updates // 2), stages))
    for stage in stages:
        stage.close()
    return [[*one, *other] for one, other in zip(first, second, strict=True)]


def piped(model: nn.Sequential, number: int, *, stashing: bool) -> list[list[Update]]:
    """Trains by stages, in place, and returns what each of them reported."""
    return run(stages_of(model, number, stashing=stashing), STEPS)


def test_what_is_in_eval_mode_stays_there() -> None:
    model = deep(normalized=True)
    model[2].eval()  # a frozen batch norm
    before = deepcopy(model[2].state_dict())
    piped(model, 2, stashing=True)
    assert all(torch.equal(model[2].state_dict()[name], before[name]) for name in ("running_mean", "running_var"))


@pytest.mark.parametrize("stages", [1, 2, 4])
@pytest.mark.parametrize("normalized", [False, True])
def test_with_weights_stashed_it_is_weight_stashing_bit_for_bit(stages: int, normalized: bool) -> None:
    model, twin = deep(normalized), deep(normalized)
    reported = piped(model, stages, stashing=True)
    groups, delays = pipeline_delays(twin, stages)
    optimizer = WeightStashing(momentum(groups), delays)
    for t in range(STEPS):
        optimizer.zero_grad()
        with optimizer.stashed():
            cross_entropy(twin(batch(t)[0]), batch(t)[1]).backward()
        optimizer.step()
    assert torch.equal(parameters_to_vector(model.parameters()), parameters_to_vector(twin.parameters()))
    for own, delay in zip(reported, delays.values(), strict=True):
        assert [update.age for update in own] == [min(t, delay) for t in range(STEPS)]


def test_without_stashing_the_backward_pass_has_the_newest_weights() -> None:
    """A twin of two stages that keeps the inputs and computes forward passes anew."""
    model, twin = deep(), deep()
    piped(model, 2, stashing=False)
    first, second = cut(twin, 2)
    optimizers = momentum(first.parameters()), momentum(second.parameters())
    ahead: deque[Tensor] = deque([first(batch(0)[0]).detach()])
    for t in range(STEPS):
        ahead.append(first(batch(t + 1)[0]).detach())  # before the update of batch t
        activations = ahead.popleft().requires_grad_()
        for optimizer in optimizers:
            optimizer.zero_grad()
        cross_entropy(second(activations), batch(t)[1]).backward()
        first(batch(t)[0]).backward(activations.grad)
        for optimizer in optimizers:
            optimizer.step()
    assert torch.equal(parameters_to_vector(model.parameters()), parameters_to_vector(twin.parameters()))


@pytest.mark.parametrize("stashing", [True, False])
def test_running_estimates_see_each_batch_once(stashing: bool) -> None:
    model = deep(normalized=True)
    piped(model, 2, stashing=stashing)
    assert model[2].num_batches_tracked == STEPS + 1  # one is on its way


@pytest.mark.parametrize("stashing", [True, False])
@pytest.mark.parametrize(("normalized", "frozen"), [(False, False), (True, False), (False, True)])
def test_stages_go_on_from_their_states_bit_for_bit(stashing: bool, normalized: bool, frozen: bool) -> None:
    model, twin = deep(normalized, frozen), deep(normalized, frozen)
    piped(twin, 3, stashing=stashing)
    first = stages_of(deep(normalized, frozen), 3, stashing=stashing)
    run(first, 5)
    second = stages_of(model, 3, stashing=stashing)
    for stage, earlier in zip(second, first, strict=True):
        stage.load_state_dict(deepcopy(earlier.state_dict()))
    reported = run(second, STEPS - 5)
    assert [update.age for update in reported[0]] == [2] * (STEPS - 5)
    for name, value in twin.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


def test_a_stage_that_raises_ends_its_neighbours() -> None:
    class Breaks(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            raise ZeroDivisionError

    model = nn.Sequential(nn.Linear(6, 5), Breaks(5, 5), nn.Linear(5, 3)).double()
    with pytest.raises(Exception, match=r"neighbouring stage is gone|^$"):
        piped(model, 3, stashing=True)
    assert threading.active_count() < 20


class Residual(nn.Sequential):
    """Would be cut into something else, without its own `forward`."""

    def forward(self, input: Tensor) -> Tensor:
        for layer in self:
            input = input + layer(input)
        return input


def tied() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))
    model[2].weight = model[0].weight
    return model


@pytest.mark.parametrize(
    ("model", "stages", "words"),
    [
        (Residual(nn.Linear(3, 3), nn.Linear(3, 3)), 2, "a Residual cannot be cut into 2 stages"),
        (tied(), 2, "stage 1 has a parameter that an earlier stage has too"),
        (deep(), 5, "cannot be cut into 5 stages: it has 4 children with parameters"),
        (nn.LSTM(3, 4), 2, "a LSTM cannot be cut into 2 stages"),
        (deep(), 0, "stages must be an integer of at least 1, or a list of modules, not 0"),
    ],
)
def test_a_model_that_cannot_be_cut_is_told(model: nn.Module, stages: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cut(model, stages)


def test_an_activation_that_is_in_a_model_twice_is_in_its_stages_twice() -> None:
    act, x = nn.Tanh(), torch.randn(4, 3)
    model = nn.Sequential(nn.Linear(3, 3), act, nn.Linear(3, 3), act, nn.Linear(3, 2))
    first, second = cut(model, 2)
    assert torch.equal(second(first(x)), model(x))


def test_parts_may_be_given_as_they_are() -> None:
    model = deep()
    assert cut(model, [model[:2], model[2:]])[1] is not None
    with pytest.raises(ValueError, match="do not have the parameters that the model has"):
        cut(model, [model[:2], model[4:]])


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_stages_are_ray_actors_that_give_the_model_its_weights() -> None:
    model, twin = deep(), deep()
    reported = piped(twin, 2, stashing=True)
    with tautune.AsynchronousPipeline(model, cross_entropy, batch, momentum, stages=2, cpus_per_stage=0) as pipeline:
        losses = pipeline.run(STEPS)
        assert pipeline.ages == [[min(t, 1) for t in range(STEPS)], [0] * STEPS]
    assert torch.equal(parameters_to_vector(model.parameters()), parameters_to_vector(twin.parameters()))
    assert losses == [update.loss for update in reported[-1]]
