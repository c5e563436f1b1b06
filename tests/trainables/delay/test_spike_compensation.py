import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tautune.trainables.delay.queue import GradientQueue
from tautune.trainables.delay.spike_compensation import SpikeCompensatedSGD
from tests.trainables.delay.small_training import backward, make_model, run


def gradient(model: nn.Module, weights: Tensor, t: int) -> Tensor:
    nn.utils.vector_to_parameters(weights, model.parameters())
    model.zero_grad()
    backward(model, t)
    return nn.utils.parameters_to_vector([p.grad for p in model.parameters()])  # type: ignore[misc]


@pytest.mark.parametrize("horizon", [0, 3, 2.5])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_agrees_with_its_equations(horizon: float, weight_decay: float) -> None:
    m, η, delay = 0.8, 0.05, 3
    model, twin = make_model(), make_model()
    x = [nn.utils.parameters_to_vector(model.parameters()).detach()]
    v, g = torch.zeros_like(x[0]), []
    for t in range(25):
        g.append(gradient(twin, x[t], t))
        x.append(x[t])
        if t >= delay:
            late = g[t - delay] + weight_decay * x[t]
            v = m * v + late
            x[t + 1] = x[t] - η * (m**horizon * v + (1 - m**horizon) / (1 - m) * late)
    optimizer = SpikeCompensatedSGD(model.parameters(), η, momentum=m, horizon=horizon, weight_decay=weight_decay)
    path = run(model, GradientQueue(optimizer, delay), range(25))
    torch.testing.assert_close(torch.stack(path), torch.stack(x[1:]), rtol=0, atol=1e-13)


def test_without_a_horizon_it_is_torchs_momentum() -> None:
    ours, torchs = make_model(), make_model()
    path = run(ours, SpikeCompensatedSGD(ours.parameters(), 0.1, momentum=0.9, horizon=0), range(20))
    expected = run(torchs, torch.optim.SGD(torchs.parameters(), 0.1, momentum=0.9), range(20))
    torch.testing.assert_close(torch.stack(path), torch.stack(expected), rtol=0, atol=1e-14)


def test_a_gradient_moves_the_weights_as_if_it_had_come_in_time() -> None:
    """One gradient that is D steps late: from its arrival on, weights are where momentum in time has them."""
    paths = []
    for horizon, delay in ((4, 4), (0, 0)):
        x = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        optimizer = SpikeCompensatedSGD([x], 0.1, momentum=0.7, horizon=horizon)
        queue = GradientQueue(optimizer, delay, copy=True)
        path = []
        for t in range(12):
            x.grad = torch.full_like(x, float(t == 0))
            queue.step()
            path.append(x.item())
        paths.append(path)
    assert paths[0][4:] == pytest.approx(paths[1][4:], rel=1e-14)


def test_a_resumed_run_continues_bit_for_bit() -> None:
    def make(model: nn.Module) -> GradientQueue:
        return GradientQueue(SpikeCompensatedSGD(model.parameters(), 0.05, momentum=0.9, horizon=2), 2)

    model = make_model()
    queue = make(model)
    run(model, queue, range(6))
    state: Any = copy.deepcopy((model.state_dict(), queue.state_dict()))
    expected = run(model, queue, range(6, 15))
    model = make_model(seed=1)
    queue = make(model)
    model.load_state_dict(state[0])
    queue.load_state_dict(state[1])
    assert torch.equal(torch.stack(run(model, queue, range(6, 15))), torch.stack(expected))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"horizon": -1}, "horizon must be at least 0, not -1"),
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0"),
        ({"lr": -0.1}, "lr must be at least 0"),
    ],
)
def test_settings_out_of_bounds_are_refused(setting: dict[str, float], message: str) -> None:
    settings: Any = {"lr": 0.1, "momentum": 0.9, "horizon": 2, **setting}
    with pytest.raises(ValueError, match=message):
        SpikeCompensatedSGD(make_model().parameters(), **settings)
