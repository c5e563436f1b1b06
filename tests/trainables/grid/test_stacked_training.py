import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tautune.trainables.grid.point import Course, Outcome, Point, Task
from tautune.trainables.grid.single_training import SingleTraining
from tautune.trainables.grid.stacked_training import CHECK, StackedTraining
from tautune.trainables.theory.problem import Problem
from tests.trainables.delay import queue_reference as delay_reference

pytestmark = pytest.mark.usefixtures("one_thread")
STEPS = 70
POINTS = [
    Point(3, 0.3, 0.9, shifted=True),
    Point(0, 0.5),
    Point(3, 0.1),
    Point(1, 1e4),  # diverges
    Point(3, 0.2, 0.9),
    Point(12, 0.05, 0.5, shifted=True),
    Point(0, 0.4, 0.9),
    Point(1, 0.3),
    Point(3, 1e3, 0.5),  # diverges
    Point(200, 0.3),  # no gradient arrives
    Point(3, 0.15),
]


def make_task(*, seeds: tuple[int, ...] = (0,), storage: torch.dtype | None = None, mini_batch: int | None = 8) -> Task:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(30, 6, dtype=torch.float64, generator=generator)
    targets = torch.randint(3, (30,), generator=generator)
    starts: dict[int, Tensor] = {}
    for seed in seeds:
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)).double()
        starts[seed] = Problem(model, cross_entropy, inputs, targets).point
    problem = Problem(model, cross_entropy, inputs, targets, l2=0.02, chunk=16)
    return Task(problem, starts, Course(steps=STEPS, mini_batch=mini_batch, storage=storage))


def alone(task: Task, point: Point) -> tuple[Outcome, Tensor]:
    training = SingleTraining(task, point)
    training.advance(task.course.steps)
    return training.outcomes()[0], task.problem.point


def together(task: Task, points: list[Point]) -> tuple[list[Outcome], dict[int, Tensor]]:
    training = StackedTraining(task, points)
    training.advance(task.course.steps)
    return training.outcomes(), dict(zip(training.rows, training.x, strict=True))


@pytest.mark.parametrize("mini_batch", [8, None])
@pytest.mark.parametrize("seeds", [(0,), (0, 5)])
@pytest.mark.parametrize("storage", [None, torch.bfloat16])
def test_points_together_come_to_what_each_comes_to_alone(
    storage: torch.dtype | None, seeds: tuple[int, ...], mini_batch: int | None
) -> None:
    task = make_task(seeds=seeds, storage=storage, mini_batch=mini_batch)
    points = [point._replace(seed=seed) for point in POINTS for seed in seeds]
    found, weights = together(task, points)
    for i, point in enumerate(points):
        expected, x = alone(task, point)
        assert found[i].diverged == expected.diverged == (point.learning_rate > 100)
        assert found[i].steps == expected.steps
        assert found[i].accuracy == pytest.approx(expected.accuracy, abs=1e-6)
        assert found[i].loss == pytest.approx(expected.loss, rel=1e-12)
        assert (i in weights) != expected.diverged
        if i in weights:
            torch.testing.assert_close(weights[i], x, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("point", [p for p in POINTS if p.learning_rate < 100])
def test_one_point_alone_agrees_with_the_reference(point: Point) -> None:
    task = make_task()
    batches = task.problem.batches(task.course.mini_batch, point.seed)
    drawn = [next(batches) for _ in range(STEPS)]

    def gradient_at(x: Tensor, t: int) -> Tensor:
        w = x.requires_grad_()
        w1, b1, w2, b2 = w.split([30, 5, 15, 3])
        inputs, targets = task.problem.inputs[drawn[t]], task.problem.targets[drawn[t]]
        hidden = torch.relu(inputs @ w1.view(5, 6).T + b1)
        loss = cross_entropy(hidden @ w2.view(3, 5).T + b2, targets) + 0.01 * (w1 @ w1 + w2 @ w2)
        return torch.autograd.grad(loss, w)[0]

    path = delay_reference.train(
        task.starts[0],
        gradient_at,
        learning_rate=point.learning_rate,
        momentum=point.momentum,
        shifted=point.shifted,
        delays=[point.delay] * STEPS,
    )
    _, x = alone(task, point)
    torch.testing.assert_close(x, path[-1].detach(), rtol=1e-11, atol=1e-12)


def test_points_that_diverge_leave_and_change_nothing_for_the_others() -> None:
    task = make_task()
    calm = [p for p in POINTS if p.learning_rate < 100]
    training = StackedTraining(task, POINTS)
    training.advance(CHECK)
    assert len(training.x) == len(calm)
    training.advance(STEPS)
    left = dict(zip(training.rows, training.x, strict=True))
    _, weights = together(task, calm)
    for i, point in enumerate(calm):
        torch.testing.assert_close(weights[i], left[POINTS.index(point)], rtol=1e-12, atol=1e-12)


def test_what_diverged_is_finite_and_says_when() -> None:
    task = make_task()
    points = [Point(d, rate) for d in (0, 4) for rate in (5.0, 20.0, 100.0, 1e6)]
    found, weights = together(task, points)
    assert not weights  # and with nothing left to do, it ended
    first = alone(task, points[0])[0]
    for point, outcome in zip(points, found, strict=True):
        assert outcome.diverged
        assert outcome.accuracy == 0
        assert outcome.steps > point.delay  # the first update was made with a finite loss
        assert math.isfinite(outcome.loss)
        assert outcome.loss == first.loss  # the limit: tenfold the first loss, the same for all
    assert found[0].steps > found[1].steps > found[2].steps
    assert found[4].steps > found[5].steps > found[6].steps


@pytest.mark.parametrize("train", ["alone", "together"])
def test_divergence_in_the_last_step_is_seen(train: str) -> None:
    task = make_task()
    task = task._replace(course=Course(steps=1, mini_batch=8))
    points = [Point(0, 1e300)] * 2
    found = together(task, points)[0][0] if train == "together" else alone(task, points[0])[0]
    assert found.diverged
    assert found.steps == 1
    assert found.accuracy == 0


def regression(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().mean()


class Scaled(nn.Module):
    """With a parameter without dimensions, and one that takes no part."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.unused = nn.Parameter(torch.tensor(0.5)), nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x


def test_parameters_of_every_shape_and_targets_that_are_no_classes() -> None:
    inputs = torch.linspace(-1, 1, 8, dtype=torch.float64).unsqueeze(1)
    problem = Problem(Scaled().double(), regression, inputs, 3 * inputs)
    task = Task(problem, {0: problem.point}, Course(steps=40))
    points = [Point(1, 0.1), Point(2, 0.1)]
    found, weights = together(task, points)
    for i, point in enumerate(points):
        expected, x = alone(task, point)
        assert found[i].loss == pytest.approx(expected.loss, rel=1e-12)
        assert found[i].accuracy is None
        assert expected.accuracy is None
        torch.testing.assert_close(weights[i], x)
        assert weights[i][1:].tolist() == [1.0, 1.0]
        assert weights[i][0] > 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"delay": -1}, "delay must be an integer ≥ 0"),
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1"),
        ({"learning_rate": math.nan}, "learning_rate must be above 0 and at most 1e.30, not nan"),
    ],
)
def test_points_that_are_none_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Point(1, 0.1)._replace(**change).check()


def test_a_course_has_a_step_and_its_mini_batches_an_example() -> None:
    with pytest.raises(ValueError, match="steps must be at least 1, not 0"):
        Course(steps=0)
    with pytest.raises(ValueError, match="mini_batch must be at least 1, not 0"):
        Course(steps=1, mini_batch=0)
    with pytest.raises(ValueError, match="mini_batch must be between 1 and the 30 examples there are, not 31"):
        StackedTraining(make_task(mini_batch=31), [Point(0, 0.1)])
    with pytest.raises(ValueError, match="mini_batch must be between 1 and the 30 examples there are, not 31"):
        SingleTraining(make_task(mini_batch=31), Point(0, 0.1))


def test_a_regression_that_diverges_has_no_accuracy_either() -> None:
    inputs = torch.linspace(-1, 1, 8, dtype=torch.float64).unsqueeze(1)
    problem = Problem(Scaled().double(), regression, inputs, 3 * inputs)
    task = Task(problem, {0: problem.point}, Course(steps=40))
    outcomes = [alone(task, Point(0, 1e9))[0], *together(task, [Point(0, 1e9)])[0]]
    assert all(outcome.diverged and outcome.accuracy is None for outcome in outcomes)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_as_on_the_cpu() -> None:
    cpu = make_task()
    problem = cpu.problem
    on_cuda = Problem(problem.model.cuda(), cross_entropy, problem.inputs.cuda(), problem.targets.cuda(), l2=0.02)
    cuda = Task(on_cuda, {0: cpu.starts[0].cuda()}, cpu.course)
    found = together(cuda, POINTS)[0]
    problem.model.cpu()
    expected: Callable[[Point], Outcome] = lambda point: alone(make_task(), point)[0]  # noqa: E731
    for point, outcome in zip(POINTS, found, strict=True):
        assert outcome.loss == pytest.approx(expected(point).loss, rel=1e-6)


class Idle(nn.Module):
    """Half of its weights have no part in the outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.idle = nn.Linear(6, 3), nn.Linear(6, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.used(inputs)
        return outputs


def test_weights_that_are_not_used_decay_all_the_same() -> None:
    given = make_task()
    model = Idle().double()
    problem = Problem(model, cross_entropy, given.problem.inputs, given.problem.targets, l2=0.5)
    task = Task(problem, {0: problem.point}, given.course)
    [(outcome, x)] = [alone(task, Point(1, 0.1))]
    [found], rows = together(task, [Point(1, 0.1)])
    torch.testing.assert_close(rows[0], x)
    assert found.loss == pytest.approx(outcome.loss, rel=1e-9)
    assert float(x[-6:-3].abs().max()) < 0.1 * float(task.starts[0][-6:-3].abs().max())
