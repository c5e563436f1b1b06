"""The remedies on a quadratic of curvature 1 lose and keep their stability where linear theory says that they do.

The thresholds are aη of dampened momentum 0.9, from two independent computations (companion matrices, and the gain
margin of the loop); torch's momentum is undampened, so η is 1 - m times that.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from tautune.trainables.delay import GradientQueue
from tautune.trainables.delay.remedies.weight_prediction import WeightPrediction
from tautune.trainables.delay.spike_compensation import SpikeCompensatedSGD
from tautune.trainables.delay.weight_stashing import WeightStashing
from tests.trainables.delay.remedies.cases import block_of

Make = Callable[[list[nn.Parameter], float, int], Any]


def spike(x: list[nn.Parameter], η: float, delay: int) -> Any:
    return GradientQueue(SpikeCompensatedSGD(x, 0.1 * η, momentum=0.9, horizon=delay), delay)


def prediction(x: list[nn.Parameter], η: float, delay: int) -> Any:
    return WeightPrediction(GradientQueue(torch.optim.SGD(x, 0.1 * η, momentum=0.9), delay))


def prediction_without_momentum(x: list[nn.Parameter], η: float, delay: int) -> Any:
    return WeightPrediction(GradientQueue(torch.optim.SGD(x, η), delay))


def stashing(x: list[nn.Parameter], η: float, delay: int) -> Any:
    return WeightStashing(torch.optim.SGD(x, 0.1 * η, momentum=0.9), delay)


def by_group(x: list[nn.Parameter], η: float, delay: int) -> Any:
    """Two weights under one curvature, the delay of one of them 0: x and y in (x + y)²/4, of sharpness 1."""
    groups = [{"name": "late", "params": [x[0]]}, {"name": "in time", "params": [x[1]]}]
    return GradientQueue(torch.optim.SGD(groups, η), {"late": delay, "in time": 0})


THRESHOLDS: list[tuple[Make, dict[int, float]]] = [
    (spike, {1: 2.5314, 2: 1.1411, 4: 0.4833, 16: 0.0962}),
    (prediction, {1: 2.7016, 2: 1.2101, 4: 0.4942, 16: 0.0772}),
    (prediction_without_momentum, {1: 0.6180, 2: 0.3709, 4: 0.2070, 16: 0.0569}),
    (stashing, {1: 1.0, 2: 0.51249, 4: 0.26498, 16: 0.07488}),
]


def growth(make: Make, η: float, delay: int, loss: Callable[[list[nn.Parameter]], torch.Tensor], count: int) -> float:
    """Returns how much larger the weights are at the end of training than halfway, from the largest of many steps."""
    x = [nn.Parameter(torch.ones(1, dtype=torch.float64)) for _ in range(count)]
    optimizer = make(x, η, delay)
    sizes = []
    for _ in range(300 * (delay + 1)):
        optimizer.zero_grad()
        with block_of(optimizer):
            loss(x).backward()
        optimizer.step()
        sizes.append(float(x[0].detach().abs()))
    window = 20 * (delay + 1)
    return max(sizes[-window:]) / max(sizes[len(sizes) // 2 : len(sizes) // 2 + window])


@pytest.mark.parametrize(
    ("make", "delay", "threshold"),
    [(make, delay, value) for make, values in THRESHOLDS for delay, value in values.items() if delay <= 4],
)
def test_training_is_stable_below_the_threshold_and_not_above(make: Make, delay: int, threshold: float) -> None:
    for share, grows in ((0.97, False), (1.03, True)):
        assert (growth(make, share * threshold, delay, lambda x: x[0].square().sum() / 2, 1) > 1) is grows


@pytest.mark.parametrize("delay", [1, 3])
def test_delays_by_group_have_the_threshold_of_their_shares(delay: int) -> None:
    """The gain margin of (1/2 + z^(-τ)/2) / (z - 1), found on a fine grid of angles."""
    z = torch.exp(1j * torch.linspace(1e-4, torch.pi, 400_000, dtype=torch.float64))
    loop = (0.5 + 0.5 * z**-delay) / (z - 1)
    crossings = torch.nonzero((loop.imag[1:] * loop.imag[:-1] <= 0) & (loop.real[1:] < 0))[:, 0]
    candidates = [-1 / float(loop.real[i + 1]) for i in crossings] + [-1 / float(loop.real[-1])]
    threshold = min(value for value in candidates if value > 0)
    for share, grows in ((0.97, False), (1.03, True)):
        found = growth(by_group, share * threshold, delay, lambda x: (x[0] + x[1]).square().sum() / 4, 2)
        assert (found > 1) is grows
