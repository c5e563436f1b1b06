"""Averages over time of what training does at its edge, on a parabola, where they are known."""

import pytest
import torch
from torch import nn

from benchmarks.edge_average import Average, whole_cycles
from tautune.trainables.edge.runs import Run, Runs
from tautune.trainables.theory.loop import TrainingLoop
from tautune.trainables.theory.problem import Problem

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_mean_is_over_whole_cycles() -> None:
    assert whole_cycles([9.0, 0, 1, 2, 3, 0, 1, 2, 3, 0]) == pytest.approx(1.5)
    assert whole_cycles([1.0, 2, 3, 4]) is None


def test_the_weights_of_an_oscillation_are_averaged() -> None:
    """The curvature of w⁴/12 is w², so that the ratio tells at which weight it was taken."""
    model = nn.Linear(1, 1, bias=False).double()
    ones = torch.ones(1, 1).double()
    problem = Problem(model, lambda outputs, _: (outputs**4).mean() / 12, ones, ones)
    delay, rate, period = 1, 0.3, 6
    starts = [torch.tensor([w]).double() for w in (1.0, -1.5)]
    trainings = Runs(problem, [Run(delay, rate, seed) for seed in (0, 1)], starts, optimizer="sgd")
    average, weights = Average(trainings, period=period), []
    for _ in range(15):
        trainings.step()
        weights.append(trainings.x.clone())
    mean = torch.stack(weights[-period:]).mean(dim=0)[:, 0]
    looks = average.look()
    expected = rate * mean**2 / TrainingLoop("sgd", delay).threshold
    assert [look[:2] for look in looks] == [(15, 0), (15, 1)]
    assert [look[2] for look in looks] == pytest.approx(expected.tolist())
    assert torch.equal(trainings.x, weights[-1])
