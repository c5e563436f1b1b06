"""Decides how many points to train at once, by measuring this model, mini-batch and device."""

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
"""Numbers of points to try at once, until more at once is no faster."""
GAIN = 0.9
"""Factor by which training more points at once has to shorten a point's step: otherwise it is not worth the memory."""
SECONDS = 0.1
"""Duration in seconds of each measurement: at least two steps are timed, or one that takes five times as long."""
MEMORY_SHARE = 0.5
"""Fraction of the free memory that the points training at once may take."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    at_once: int
    """Number of points that train together; with 1, points train one after another, unstacked."""
    memory: float
    """Memory in bytes that these points may take."""
    activations: int
    """Memory in bytes that evaluating one point's gradient takes."""
    seconds: Mapping[int, float]
    """Measured duration in seconds of one point's step, by the number of points trained at once."""


class TooManyPoints(ValueError):
    """The points do not fit into the free memory."""


def check_stackable(task: Task) -> str | None:
    """Returns, in one line, why points cannot be trained together; None if they can.

    The check compares the gradients of two points, evaluated together and separately, on a copy of the network.
    """
    problem, starts, course = task
    start = next(iter(starts.values()))
    try:
        model = copy.deepcopy(problem.model)
        before = copy.deepcopy(dict(model.named_buffers()))
        twin = Problem(model, problem.loss, problem.inputs, problem.targets, l2=problem.l2, chunk=problem.chunk)
        pair = StackedTraining(Task(twin, {0: start, 1: 0.9 * start}, course), [Point(0, 1.0), Point(0, 1.0, seed=1)])
        _, gradients = pair.gradients()
    except Exception as error:  # noqa: BLE001 - whatever the model raises here, its points may still train alone
        return str(error).strip().partition("\n")[0][:200] or type(error).__name__
    changed = [name for name, buffer in model.named_buffers() if not torch.equal(buffer, before[name])]
    if changed:
        return f"its buffer {changed[0]} changes in place"
    together = torch.cat([g.reshape(2, -1) for g in gradients], dim=1)
    for seed, gradient in enumerate(together):
        alone = _gradient(twin, pair.x[seed], next(twin.batches(course.mini_batch, seed)))
        if not torch.allclose(gradient, alone, rtol=1e-3, atol=1e-4 * float(alone.abs().max())):
            return "its gradients differ when several points are evaluated together"
    return None


def plan(
    task: Task, points: Sequence[Point], *, at_once: int | None = None, stackable: bool = True, share: float = 1.0
) -> Plan:
    """Returns how to train `points` on the problem's device, after about a second of training there.

    Args:
        at_once: number of points to train at once; None to measure which number is fast.
        stackable: whether points can be trained together.
        share: fraction of the device's memory that this process may use.

    Raises:
        TooManyPoints: memory does not hold `at_once` points, or not even one; the message gives the numbers.
    """
    memory = MEMORY_SHARE * share * free_memory(task.problem.inputs.device)
    activations = _activations(task, points[0].seed) if stackable else 0
    costs = sorted((point_bytes(task, p, activations) for p in points), reverse=True)
    fitting = sum(total <= memory for total in accumulate(costs))
    chosen = at_once if stackable else 1
    asked = min(chosen or 1, len(points))
    if fitting < asked:
        raise TooManyPoints(
            f"{asked} points at once take {sum(costs[:asked]) / 1e9:.3g} GB (weights, waiting gradients, velocities, "
            f"activations), but they may take only {memory / 1e9:.3g} GB, enough for {fitting}"
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
    """Returns `points`, in their order, divided into stacks that train at once and respect the limits of `how`."""
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
    """Trains the points together, or a single point without stacking, and returns their outcomes."""
    training = SingleTraining(task, points[0]) if len(points) == 1 else StackedTraining(task, points)
    training.advance(task.course.steps)
    return training.outcomes()


def point_bytes(task: Task, point: Point, activations: int) -> int:
    """Returns the bytes that a point of a stack takes: weights and their copies, gradients, velocities, activations."""
    own = task.problem.parameters[0].dtype.itemsize
    waiting = (task.course.storage or task.problem.parameters[0].dtype).itemsize
    gradients, velocities = slots(point, task.course)
    return (
        sum(p.numel() for p in task.problem.parameters) * ((3 + velocities) * own + gradients * waiting) + activations
    )


def _gradient(problem: Problem, x: Tensor, batch: Tensor | None) -> Tensor:
    """Returns the gradient [P] at x [P], without penalty, evaluated for this point alone."""
    problem.move_to(x)
    for parameter in problem.parameters:
        parameter.grad = None
    problem.backward(batch, penalty=False)
    return torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in problem.parameters])


def _activations(task: Task, seed: int) -> int:
    """Returns the bytes that the gradient of a stacked point takes: the tensors saved for it, and as much work space.

    A tensor that both points share through expansion counts once.
    """
    kept = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal kept
        own = math.prod(n for n, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride)
        kept += own * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        StackedTraining(task, [Point(0, 1.0, seed=seed)] * 2).losses()
    return kept  # the tensors saved for two points, so twice those of one


def _measure(task: Task, points: Sequence[Point]) -> dict[int, float]:
    """Returns the seconds of one point's step, alone and at each possible width, until a wider one brings no gain.

    For a point alone only the gradient is timed: the update takes little, and torch's first optimizer would import its
    compiler.
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
    """Returns the seconds of the fastest of several steps, so that other work on the machine hardly counts."""
    begun = time.perf_counter()
    times: list[float] = []
    while time.perf_counter() - begun < (SECONDS if len(times) >= 2 else 5 * SECONDS):
        turn = time.perf_counter()
        step()
        if problem.inputs.is_cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - turn)
    return min(times)
