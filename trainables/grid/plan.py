"""Whether points are trained together, and how many at once: measured for this model, mini-batch and device."""

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate

import torch
from torch import Tensor

from tautune.trainables.grid.memory import free_memory
from tautune.trainables.grid.point import Outcome, Point, Task
from tautune.trainables.grid.single_training import SingleTraining
from tautune.trainables.grid.stacked_training import StackedTraining, slots
from tautune.trainables.theory.problem import Problem

WIDTHS = (16, 64, 256, 1024, 4096)
"""Points at once that are tried, as long as more at once is faster."""
GAIN = 0.9
"""More at once has to bring the time of a point's step down to this share, or it is not worth the memory."""
SECONDS = 0.1
"""Spent on measuring each; two steps where these take longer, and one where that takes five times as long."""
MEMORY_SHARE = 0.5
"""Of the memory that is free, for the points that train at once."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    at_once: int
    """Points that train together; 1: one after another, unstacked."""
    memory: float
    """Bytes that they may take."""
    activations: int
    """Bytes that evaluating one point's gradient takes."""
    seconds: Mapping[int, float]
    """A step of one point, by how many were trained at once in the measurement."""


class TooManyPoints(ValueError):
    """They do not fit into the memory there is."""


def check_stackable(task: Task) -> str | None:
    """Why points cannot be trained together, in a line; None if they can.

    The gradients of two points are evaluated together and each alone, on a copy of the network.
    """
    problem, starts, course = task
    start = next(iter(starts.values()))
    try:
        model = copy.deepcopy(problem.model)
        before = copy.deepcopy(dict(model.named_buffers()))
        twin = Problem(model, problem.loss, problem.inputs, problem.targets, l2=problem.l2, chunk=problem.chunk)
        pair = StackedTraining(Task(twin, {0: start, 1: 0.9 * start}, course), [Point(0, 1.0), Point(0, 1.0, seed=1)])
        _, gradients = pair.gradients()
    except Exception as error:  # noqa: BLE001 - whatever the model raises here, it may train alone
        return str(error).strip().partition("\n")[0][:200] or type(error).__name__
    changed = [name for name, buffer in model.named_buffers() if not torch.equal(buffer, before[name])]
    if changed:
        return f"its buffer {changed[0]} changes in place"
    together = torch.cat([g.reshape(2, -1) for g in gradients], dim=1)
    for seed, gradient in enumerate(together):
        alone = _gradient(twin, pair.x[seed], next(twin.batches(course.mini_batch, seed)))
        if not torch.allclose(gradient, alone, rtol=1e-3, atol=1e-4 * float(alone.abs().max())):
            return "its gradients are others when several points are evaluated together"
    return None


def plan(
    task: Task, points: Sequence[Point], *, at_once: int | None = None, stackable: bool = True, share: float = 1.0
) -> Plan:
    """How to train `points` on the device of the problem, from a second of training there.

    Args:
        at_once: the user's choice, which is then not measured.
        share: of the device's memory, for this process.

    Raises:
        TooManyPoints: not even one point fits into the memory, or not `at_once`; with the numbers.
    """
    memory = MEMORY_SHARE * share * free_memory(task.problem.inputs.device)
    activations = _activations(task, points[0].seed) if stackable else 0
    costs = sorted((point_bytes(task, p, activations) for p in points), reverse=True)
    fitting = sum(total <= memory for total in accumulate(costs))
    chosen = at_once if stackable else 1
    asked = min(chosen or 1, len(points))
    if fitting < asked:
        raise TooManyPoints(
            f"{asked} points at once take {sum(costs[:asked]) / 1e9:.3g} GB (weights, gradients that wait, velocities, "
            f"activations) and {memory / 1e9:.3g} GB are there for them, enough for {fitting}"
        )
    if chosen:
        return Plan(at_once=chosen, memory=memory, activations=activations, seconds={})
    seconds = _measure(task, points[:fitting])
    best = 1
    for width in list(seconds)[1:]:
        if seconds[width] < GAIN * seconds[best]:
            best = width
    return Plan(at_once=best, memory=memory, activations=activations, seconds=seconds)


def stacks(task: Task, points: Sequence[Point], how: Plan) -> list[list[Point]]:
    """`points` in their order, divided into those that train at once, as number and memory allow."""
    divided: list[list[Point]] = [[]]
    taken = 0.0
    for point in points:
        cost = point_bytes(task, point, how.activations)
        if divided[-1] and (len(divided[-1]) == how.at_once or taken + cost > how.memory):
            divided.append([])
            taken = 0.0
        divided[-1].append(point)
        taken += cost
    return divided


def train(task: Task, points: Sequence[Point]) -> list[Outcome]:
    """The points together, or alone if it is one."""
    training = SingleTraining(task, points[0]) if len(points) == 1 else StackedTraining(task, points)
    training.advance(task.course.steps)
    return training.outcomes()


def point_bytes(task: Task, point: Point, activations: int) -> int:
    """Memory of one point that trains among others: weights and work on them, gradients, velocities, activations."""
    own = task.problem.parameters[0].dtype.itemsize
    waiting = (task.course.storage or task.problem.parameters[0].dtype).itemsize
    gradients, velocities = slots(point, task.course)
    return (
        sum(p.numel() for p in task.problem.parameters) * ((3 + velocities) * own + gradients * waiting) + activations
    )


def _gradient(problem: Problem, x: Tensor, batch: Tensor | None) -> Tensor:
    """That at x [P] without penalty, of the network as it stands, evaluated alone."""
    problem.move_to(x)
    for parameter in problem.parameters:
        parameter.grad = None
    problem.backward(batch, penalty=False)
    return torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in problem.parameters])


def _activations(task: Task, seed: int) -> int:
    """Bytes that the gradient of a stacked point takes: what is kept for it, and as much again while it is made.

    What is the same for both points, and only seems to be there twice, counts once.
    """
    kept = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal kept
        own = math.prod(n for n, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride)
        kept += own * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        StackedTraining(task, [Point(0, 1.0, seed=seed)] * 2).gradients()
    return kept  # of two points


def _measure(task: Task, points: Sequence[Point]) -> dict[int, float]:
    """Seconds of one point's step, alone and at each width that there are points for, until more is no gain.

    Alone it is the gradient without the update, whose part is small: a first optimizer makes torch import its compiler.
    """
    endless = Task(task.problem, task.starts, replace(task.course, steps=10**9))
    calm = [p._replace(learning_rate=1e-12, delay=min(p.delay, task.course.steps)) for p in points]  # none diverges
    batches = task.problem.batches(task.course.mini_batch, points[0].seed)
    x = task.starts[points[0].seed]
    seconds = {1: _seconds(lambda: _gradient(task.problem, x, next(batches)), task.problem)}
    for width in sorted({w for w in WIDTHS if w < len(points)} | {min(len(points), WIDTHS[-1])} - {1}):
        stacked = StackedTraining(endless, [calm[i * len(calm) // width] for i in range(width)])
        seconds[width] = _seconds(partial(stacked.advance, 1), task.problem) / width
        if seconds[width] > GAIN * min(list(seconds.values())[:-1]):
            break
    return seconds


def _seconds(step: Callable[[], object], problem: Problem) -> float:
    """Of one step: the fastest, so that what else the machine does counts little."""
    begun = time.perf_counter()
    times: list[float] = []
    while time.perf_counter() - begun < (SECONDS if len(times) >= 2 else 5 * SECONDS):
        turn = time.perf_counter()
        step()
        if problem.inputs.is_cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - turn)
    return min(times)
