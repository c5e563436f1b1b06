"""At the edges of the numbers every outcome is finite, and says whether training diverged and when."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tautune.trainables.grid.point import Course, Outcome, Point, Task
from tautune.trainables.grid.single_training import SingleTraining
from tautune.trainables.grid.stacked_training import StackedTraining
from tautune.trainables.supervised import datasets
from tautune.trainables.supervised.datasets import Images
from tautune.trainables.supervised.hyperparameters import TrainingConfig
from tautune.trainables.supervised.normalization import Normalization
from tautune.trainables.supervised.optimizers import OPTIMIZERS, make_optimizer
from tautune.trainables.supervised.sources import Pass, source_of
from tautune.trainables.supervised.training import train_epoch
from tautune.trainables.theory.problem import Problem
from tautune.trainables.theory.stability import LARGEST_RATE

pytestmark = pytest.mark.usefixtures("one_thread")
SMALLEST = 5e-324
"""The smallest subnormal number of float64."""
RATES = [SMALLEST, 1e-310, 1e-30, 1e20, LARGEST_RATE]


def task(dtype: torch.dtype, storage: torch.dtype | None, inputs: torch.Tensor, *, steps: int = 40) -> Task:
    torch.manual_seed(0)
    targets = torch.randint(3, (len(inputs),))
    model = nn.Sequential(nn.Linear(inputs.shape[1], 5), nn.Tanh(), nn.Linear(5, 3)).to(dtype)
    problem = Problem(model, cross_entropy, inputs.to(dtype), targets, l2=0.01)
    return Task(problem, {0: problem.point}, Course(steps=steps, mini_batch=1, storage=storage))


def both_ways(given: Task, points: list[Point]) -> list[list[Outcome]]:
    """Returns the outcomes of the points trained together, and one after another."""
    together, alone = StackedTraining(given, points), []
    together.advance(given.course.steps)
    for point in points:
        training = SingleTraining(given, point)
        training.advance(given.course.steps)
        alone += training.outcomes()
    return [together.outcomes(), alone]


@pytest.mark.parametrize("storage", [None, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_a_grids_outcomes_at_extreme_rates(scale: float, dtype: torch.dtype, storage: torch.dtype | None) -> None:
    torch.manual_seed(0)
    given = task(dtype, storage, torch.randn(10, 4) * scale)
    points = [Point(delay, rate, 0.9) for delay in (0, 3) for rate in RATES]
    for outcomes in both_ways(given, points):
        for point, outcome in zip(points, outcomes, strict=True):
            assert math.isfinite(outcome.loss)
            assert 0 <= (outcome.accuracy or 0) <= 1
            assert outcome.steps <= 40
            if point.learning_rate > 1:
                assert outcome.diverged
            if point.learning_rate < 1e-300:
                assert not outcome.diverged or scale > 1


def test_a_grids_loss_that_jumps_after_ten_thousand_quiet_steps() -> None:
    quiet, delay = 10_000, 5
    inputs = torch.randn(quiet + 100, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    given = task(torch.float64, None, inputs, steps=len(inputs))
    order = given.problem.batches(1, seed=0)
    examples = [int(next(order)) for _ in range(quiet + 1)]  # type: ignore[arg-type]
    given.problem.inputs[examples[quiet]] = math.inf
    stacked, (alone,) = both_ways(given, [Point(delay, 1e-3)])
    for outcome in (*stacked, alone):
        assert outcome.diverged
        assert quiet <= outcome.steps <= quiet + delay + 1
        assert math.isfinite(outcome.loss)


def pass_over(data: Images, number: int, config: TrainingConfig) -> Pass:
    source = source_of(data, (torch.arange(number), torch.arange(0)))
    return source.training_pass(config.batch_size, torch.Generator().manual_seed(0), epoch=0, drop_single=False)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_epoch_at_extreme_rates(name: str, rate: float) -> None:
    data = datasets.load("digits").train
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    config = TrainingConfig(optimizer=name, learning_rate=rate, delay=2, batch_size=8)
    epoch = train_epoch(
        model,
        make_optimizer(model.parameters(), config),
        pass_over(data, 200, config),
        Normalization.of(data.pixels),
        config,
        generator=torch.Generator().manual_seed(0),
        done=0,
        share=1,
    )
    assert math.isfinite(epoch.loss)
    assert 0 <= epoch.accuracy <= 1
    assert epoch.diverged or all(bool(p.isfinite().all()) for p in model.parameters())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_epoch_whose_loss_jumps_late_says_when(precision: str) -> None:
    pixels = torch.randn(10_200, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0))
    pixels[order[10_000]] = math.nan
    data = Images(pixels, torch.zeros(len(pixels), dtype=torch.long))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    config = TrainingConfig(optimizer="sgd", learning_rate=1e-3, delay=4, batch_size=1, precision=precision)
    epoch = train_epoch(
        model,
        make_optimizer(model.parameters(), config),
        pass_over(data, len(pixels), config),
        Normalization.of(data.pixels[order[:100]]),
        config,
        generator=torch.Generator().manual_seed(0),
        done=0,
        share=1,
    )
    assert epoch.diverged
    assert epoch.steps == 10_000
    assert math.isfinite(epoch.loss)
