"""Times stacks of points: convolutional networks together and one after another, queues in bfloat16, CUDA graphs."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tautune.trainables.grid.plan import train
from tautune.trainables.grid.point import Course, Point, Task
from tautune.trainables.grid.stacked_training import StackedTraining
from tautune.trainables.theory.problem import Problem, flatten

T = TypeVar("T")
EXAMPLES, MINI_BATCH, DELAY = 2048, 32, 8


def cnn() -> nn.Module:
    """Builds a network of two convolutions for images of 28×28 pixels."""
    convolutions = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    convolutions += [nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(16 * 49, 64), nn.ReLU(), nn.Linear(64, 10))


def task(device: torch.device, *, steps: int, storage: torch.dtype | None = None) -> Task:
    """Returns the training of the network on random images, in single precision."""
    torch.manual_seed(0)
    model = cnn()
    start = flatten(model.parameters()).detach().to(device)
    inputs, targets = torch.randn(EXAMPLES, 1, 28, 28), torch.randint(10, (EXAMPLES,))
    problem = Problem(model.to(device), cross_entropy, inputs.to(device), targets.to(device))
    return Task(problem, {0: start}, Course(steps=steps, mini_batch=MINI_BATCH, storage=storage))


def points(number: int) -> list[Point]:
    """Returns points of one delay, whose learning rates are so small that none diverges."""
    return [Point(DELAY, 1e-4 * (1 + i / number)) for i in range(number)]


def together_and_alone(device: torch.device, *, number: int, steps: int) -> dict[str, Any]:
    """Returns the seconds of a point's step in a stack, and of points one after another; the latter is for a few."""
    few = max(2, number // 64)
    wanted = task(device, steps=steps)
    for sample in (points(number), points(1)):  # the first launch of a kernel compiles it
        train(task(device, steps=2), sample)
    stacked = _timed(device, lambda: train(wanted, points(number)))[0] / (number * steps)
    alone = _timed(device, lambda: [train(wanted, [point]) for point in points(few)])[0] / (few * steps)
    return {
        **{"points": number, "steps": steps, "stacked_seconds": stacked, "one_after_another_seconds": alone},
        "ratio": alone / stacked,
    }


def bfloat16_queue(device: torch.device, *, number: int, steps: int) -> dict[str, Any]:
    """Returns seconds and losses of points whose gradients wait in bfloat16, beside those that wait as they are."""
    seconds, losses = {}, {}
    for name, storage in {"float32": None, "bfloat16": torch.bfloat16}.items():
        run = partial(train, task(device, steps=steps, storage=storage), points(number))
        seconds[name], outcomes = _timed(device, run)
        losses[name] = torch.tensor([outcome.loss for outcome in outcomes])
    apart = (losses["bfloat16"] - losses["float32"]).abs() / losses["float32"]
    return {"seconds": seconds, "largest_relative_difference_of_a_loss": float(apart.max())}


def captured_step(device: torch.device, *, number: int, steps: int) -> dict[str, Any]:
    """Returns the seconds of a stacked gradient as it is launched, and replayed from a CUDA graph (on a GPU alone)."""
    training = StackedTraining(task(device, steps=10**9), points(number))
    training.advance(3)
    launched = _timed(device, lambda: _repeat(training.gradients, steps))[0] / steps
    if device.type != "cuda":
        return {"points": number, "launched_seconds": launched, "captured_seconds": None}
    inputs, targets, per_point = training._batch()
    training._batch = lambda: (inputs, targets, per_point)  # type: ignore[method-assign]  # a graph has fixed inputs
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            training.gradients()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        training.gradients()
    captured = _timed(device, lambda: _repeat(graph.replay, steps))[0] / steps
    return {"points": number, "launched_seconds": launched, "captured_seconds": captured, "ratio": launched / captured}


def _repeat(run: Callable[[], object], times: int) -> None:
    for _ in range(times):
        run()


def _timed(device: torch.device, run: Callable[[], T]) -> tuple[float, T]:
    """Returns the seconds of one run, with the work that the device still has to do, and what it returns."""
    begun = time.perf_counter()
    found = run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begun, found
