"""What stands for an optimizer, and what an optimizer's filter is: its own updates, for an impulse of a gradient."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tautune.trainables.delay.queue import GradientQueue
from tautune.trainables.delay.shifted_momentum import ShiftedMomentumSGD
from tautune.trainables.theory.delays import Delays
from tautune.trainables.theory.loop import TrainingLoop
from tautune.trainables.theory.optimizer_names import BY_NAME, SIGN_METHODS, as_optimizer
from tautune.trainables.theory.optimizers import OwnFilter, SpikeCompensation

STEPS = 12
OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda x: torch.optim.SGD([x], 1.0),
    "momentum": lambda x: torch.optim.SGD([x], 1.0, momentum=0.9),
    "nesterov": lambda x: torch.optim.SGD([x], 1.0, momentum=0.9, nesterov=True),
    "shifted": lambda x: ShiftedMomentumSGD([x], 1.0, momentum=0.9, shift=3),
    "paper's": lambda x: ShiftedMomentumSGD([x], 1.0, momentum=0.9),
}


def impulse_response(optimizer: Any, delays: Delays) -> list[float]:
    """Returns the filter's answer to a gradient of 1 at the first step and 0 from then on."""
    F = optimizer.filter(delays)
    above, below = F.numerator.dense(STEPS), F.denominator.dense(STEPS)
    answer: list[float] = []
    for t in range(STEPS):
        answer.append(above[t] - sum(below[j] * answer[t - j] for j in range(1, t + 1)))
    return answer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_filter_is_what_the_optimizer_does(name: str) -> None:
    x = torch.zeros(1, dtype=torch.float64)
    optimizer = OPTIMIZERS[name](x)
    steps = []
    for t in range(STEPS):
        before = x.item()
        x.grad = torch.tensor([1.0 if t == 0 else 0.0], dtype=torch.float64)
        optimizer.step()
        steps.append(before - x.item())
    delays = Delays.fixed(3)
    assert impulse_response(as_optimizer(optimizer, None, delays), delays) == pytest.approx(steps, abs=1e-12)


WARM = 1000
SLOW = 1 - 1e-9
PRECONDITIONED: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "adam": lambda x: torch.optim.Adam([x], 1.0, betas=(0.9, SLOW), eps=0.0),
    "adamw": lambda x: torch.optim.AdamW([x], 1.0, betas=(0.5, SLOW), eps=0.0, weight_decay=0.0),
    "nadam, its momentum risen": lambda x: torch.optim.NAdam([x], 1.0, betas=(0.9, SLOW), eps=0.0, momentum_decay=10),
    "rmsprop": lambda x: torch.optim.RMSprop([x], 1e-5, alpha=SLOW, eps=0.0, momentum=0.5),
}


@pytest.mark.parametrize("name", PRECONDITIONED)
def test_preconditioned_optimizers_are_filters_where_the_preconditioner_hardly_moves(name: str) -> None:
    """After gradients of ±1, what one small gradient changes in the steps that follow is the filter's answer to it."""
    pair = torch.zeros(2, dtype=torch.float64)
    optimizer = PRECONDITIONED[name](pair)
    steps = []
    for t in range(WARM + STEPS):
        before = pair.clone()
        sign = (-1.0) ** t if t < WARM else 0.0
        pair.grad = torch.tensor([sign, sign + (1e-6 if t == WARM else 0.0)], dtype=torch.float64)
        optimizer.step()
        if t >= WARM:
            moved = before - pair
            steps.append((moved[1] - moved[0]).item())
    delays = Delays.fixed(0)
    expected = impulse_response(as_optimizer(optimizer, None, delays), delays)
    assert np.array(steps) / steps[0] == pytest.approx(np.array(expected) / expected[0], rel=0.02, abs=1e-6)
    if name != "rmsprop":
        assert steps[0] == pytest.approx(1e-6 * expected[0], rel=1e-2)  # P is 1, the size of the gradients


def test_an_optimizer_of_torch_stands_for_itself_and_one_that_is_wrapped_is_refused() -> None:
    x = torch.zeros(1)
    nesterov = torch.optim.SGD([x], 0.1, momentum=0.9, nesterov=True)
    assert TrainingLoop(nesterov, 4).threshold_at_unit_gain == pytest.approx(0.3265, abs=5e-5)
    assert TrainingLoop(torch.optim.AdamW([x]), 4) == TrainingLoop("adamw", 4)
    with pytest.raises(
        ValueError, match="the filter of Adagrad is not known, as those of SGD, .*; a TrainingLoop takes an OwnFilter"
    ):
        TrainingLoop(torch.optim.Adagrad([x]), 4)
    with pytest.raises(ValueError, match="give the optimizer inside, with delay and remedies beside it"):
        TrainingLoop(GradientQueue(nesterov, 4), 4)


def test_an_optimizer_of_torch_has_the_settings_of_its_groups_and_not_its_defaults() -> None:
    x, y = torch.zeros(1), torch.zeros(1)
    late = TrainingLoop(torch.optim.SGD([{"params": [x], "momentum": 0.9}], 0.1), 4)
    assert late.threshold == TrainingLoop("sgd", 4, momentum=0.9).threshold
    groups: list[dict[str, Any]] = [{"params": [x], "momentum": 0.9}, {"params": [y]}]
    with pytest.raises(ValueError, match="the parameter groups of SGD differ in momentum"):
        TrainingLoop(torch.optim.SGD(groups, 0.1), 4)


@pytest.mark.parametrize(("delay", "shift"), [(4, 0), (4, 2), (1, 4)])
def test_a_shift_other_than_the_delay_is_the_one_that_counts(delay: int, shift: int) -> None:
    x, m = torch.zeros(1), 0.9
    threshold = TrainingLoop(ShiftedMomentumSGD([x], 0.1, momentum=m, shift=shift), delay).threshold
    for step, stable in ((0.99 * threshold, True), (1.01 * threshold, False)):
        characteristic = np.zeros(max(delay + 2, shift + 3))  # (1 - w)(1 - m w^(shift+1)) + s (1-m) w^(delay+1)
        for lag, coefficient in ((0, 1), (1, -1), (shift + 1, -m), (shift + 2, m), (delay + 1, step * (1 - m))):
            characteristic[lag] += coefficient
        assert (np.abs(np.roots(characteristic)).max() < 1) == stable


@pytest.mark.parametrize("name", SIGN_METHODS)
def test_a_sign_method_is_refused_with_its_floor(name: str) -> None:
    with pytest.raises(ValueError, match=r"has no threshold: its steps do not shrink .* η\(τ\+1\) = 9 η"):
        TrainingLoop(name, 8)


@pytest.mark.parametrize("delay", [0, 1, 4, 20])
def test_the_floor_of_a_sign_method_is_its_learning_rate_times_the_delay_and_one(delay: int) -> None:
    η, x = 0.01, [1.0] * (delay + 1)
    for _ in range(2000):
        x.append(x[-1] - η * float(np.sign(x[-1 - delay])))
    assert max(map(abs, x[-200:])) == pytest.approx(η * (delay + 1), abs=η)


def test_spike_compensation_without_a_horizon_is_momentum_and_with_a_long_one_is_none() -> None:
    momentum, none = TrainingLoop("adam", 4).threshold, TrainingLoop("sgd", 4).threshold
    assert TrainingLoop(SpikeCompensation(0.9, horizon=0), 4).threshold == pytest.approx(momentum)
    assert TrainingLoop(SpikeCompensation(0.9, horizon=1000), 4).threshold == pytest.approx(none)
    undampened = TrainingLoop(SpikeCompensation(0.9, dampened=False), 4)
    assert undampened.threshold_at_unit_gain == pytest.approx(TrainingLoop("spike-compensation", 4).threshold)
    assert undampened.threshold == pytest.approx(undampened.threshold_at_unit_gain / 10)


@pytest.mark.parametrize(
    ("numerator", "denominator", "said"),
    [
        ((1, 0), (1, -1), "unstable: its denominator has a root of modulus 1;"),
        ((1, 0, 0), (1, 2, 5), "unstable: its denominator has a root of modulus 2.23607"),
        ((1, -1), (1, -0.5), "gain at rest must be above 0, or it does not descend; it is 0"),
        ((-1, 0), (1, -0.5), "it is -2"),
        ((1, 0, 0), (1, 0), "needs gradients of the future"),
        ((0, 0), (1, 0), "a numerator and a denominator other than 0"),
        ((float("nan"), 0), (1, 0), "coefficients of an optimizer's filter must be finite"),
    ],
)
def test_a_filter_that_is_none_is_refused(numerator: Any, denominator: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        OwnFilter(numerator, denominator)


def test_names_with_a_momentum_out_of_bounds_are_refused() -> None:
    for name in BY_NAME:
        with pytest.raises(ValueError, match="momentum must be at least 0 and below 1, not 1"):
            TrainingLoop(name, 1, momentum=1)
    with pytest.raises(ValueError, match="momentum is for an optimizer that is given by its name"):
        TrainingLoop(SpikeCompensation(0.9), 1, momentum=0.9)
