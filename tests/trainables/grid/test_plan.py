from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tautune.trainables.grid import plan as stacking
from tautune.trainables.grid.plan import TooManyPoints, check_stackable, plan, point_bytes, stacks, train
from tautune.trainables.grid.point import Course, Point, Task
from tautune.trainables.theory.problem import Problem
from tests.trainables.grid.test_stacked_training import POINTS, alone, make_task

pytestmark = pytest.mark.usefixtures("one_thread")


def task_of(model: nn.Module, shape: tuple[int, ...] = (6,)) -> Task:
    torch.manual_seed(0)
    problem = Problem(model.double(), cross_entropy, torch.randn(20, *shape).double(), torch.randint(3, (20,)))
    return Task(problem, {4: problem.point}, Course(steps=5, mini_batch=10))


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        return x if x.sum() > 0 else -x


class Counting(nn.Module):
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 3)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        outputs: Tensor = self.linear(x)
        return outputs


STACKABLE = {
    "mlp": nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3)),
    "layer norm": nn.Sequential(nn.Linear(6, 4), nn.LayerNorm(4), nn.GELU(), nn.Linear(4, 3)),
    "convolution": nn.Sequential(nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3)),
}
UNSTACKABLE = {
    "in place": nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)),
    "data-dependent": Branching(),
    "vmap: called random operation": nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.5), nn.Linear(4, 3)),
    "its buffer count changes in place": Counting(),
}


@pytest.mark.parametrize("name", STACKABLE)
def test_what_can_be_stacked(name: str) -> None:
    assert check_stackable(task_of(STACKABLE[name])) is None


@pytest.mark.parametrize("reason", UNSTACKABLE)
def test_what_cannot_be_stacked_trains_one_after_another_and_leaves_no_trace(reason: str) -> None:
    task = task_of(UNSTACKABLE[reason])
    before = {name: value.clone() for name, value in task.problem.model.state_dict().items()}
    why = check_stackable(task)
    assert why is not None
    assert reason in why
    assert all(torch.equal(value, before[name]) for name, value in task.problem.model.state_dict().items())
    points = [Point(1, 0.1, seed=4), Point(0, 0.2, seed=4)]
    how = plan(task, points, at_once=2, stackable=False)
    assert how.at_once == 1
    (first,), (second,) = stacks(task, points, how)
    outcomes = [train(task, [point])[0] for point in (first, second, first)]
    assert outcomes[0] == outcomes[2] != outcomes[1]  # nothing of one training goes into the next


def test_the_faster_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task()
    points = [Point(d, 0.1) for d in range(3)] * 100

    def chosen(seconds: dict[int, float]) -> int:
        monkeypatch.setattr(stacking, "_measure", lambda task, points: seconds)
        return plan(task, points).at_once

    assert chosen({1: 10.0, 16: 3.0, 64: 2.0, 256: 1.9}) == 64
    assert chosen({1: 10.0, 16: 11.0}) == 1
    assert chosen({1: 10.0, 16: 12.0, 64: 5.0}) == 64
    assert chosen({1: 10.0}) == 1


def test_what_is_measured() -> None:
    task = make_task()
    how = plan(task, POINTS * 10)
    assert list(how.seconds)[:2] == [1, 16]
    assert all(0 < seconds < 1 for seconds in how.seconds.values())
    assert how.at_once in how.seconds
    assert plan(task, POINTS[:1]).at_once == 1
    assert train(task, POINTS[1:2]) == [alone(task, POINTS[1])[0]]


def test_memory_divides_the_points() -> None:
    task = make_task()
    how = plan(task, POINTS, at_once=4)
    assert [len(stack) for stack in stacks(task, POINTS, how)] == [4, 4, 3]
    room = float(sum(point_bytes(task, p, how.activations) for p in POINTS[:3]))
    divided = stacks(task, POINTS, replace(how, memory=room))
    assert [p for stack in divided for p in stack] == POINTS
    assert divided[0] == POINTS[:3]
    for stack in divided:
        assert sum(point_bytes(task, p, how.activations) for p in stack) <= room or len(stack) == 1


def test_memory_of_a_point() -> None:
    task = make_task()
    vector = 8 * 53  # bytes of the weights
    for point, vectors in {
        Point(0, 0.1): 3 + 1,
        Point(4, 0.1): 3 + 5,
        Point(4, 0.1, 0.9): 3 + 5 + 1,
        Point(4, 0.1, 0.9, shifted=True): 3 + 5 + 5,
        Point(10**6, 0.1): 3 + task.course.steps,
    }.items():
        assert point_bytes(task, point, 7) == vectors * vector + 7
    half = task._replace(course=replace(task.course, storage=torch.bfloat16))
    assert point_bytes(half, Point(4, 0.1), 0) == 3 * vector + 5 * vector / 4


def test_more_than_memory_holds_is_refused_with_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task()
    one = point_bytes(task, POINTS[0], plan(task, POINTS[:1]).activations)
    monkeypatch.setattr(stacking, "free_memory", lambda device: 2 * 3.5 * one)
    points = [POINTS[0]] * 9
    with pytest.raises(TooManyPoints, match=r"^8 points at once take .* GB .* may take only .* GB, enough for 3$"):
        plan(task, points, at_once=8)
    assert plan(task, points, at_once=3).at_once == 3
    assert max(plan(task, points).seconds) <= 3
    with pytest.raises(TooManyPoints, match="enough for 0"):
        plan(task, points, share=0.1)
