"""Times stacks of points: convolutional networks together and one after another, queues in bfloat16, CUDA graphs."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.gpu.clock import fastest
from benchmarks.gpu.sections import Skipped
from tautune.trainables.grid.point import Course, Point, Task
from tautune.trainables.grid.single_training import SingleTraining
from tautune.trainables.grid.stacked_training import StackedTraining
from tautune.trainables.theory.problem import Problem, flatten

EXAMPLES, MINI_BATCH, DELAY = 2048, 32, 8
WARM = DELAY + 3
"""Steps before any is timed: they choose their kernels, and the first gradients arrive."""


def cnn() -> nn.Module:
    """Builds a network of two convolutions for images of 28×28 pixels."""
    convolutions = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    convolutions += [nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(16 * 49, 64), nn.ReLU(), nn.Linear(64, 10))


def task(device: torch.device, *, storage: torch.dtype | None = None) -> Task:
    """Returns the training of the network on random images, in single precision and without an end."""
    torch.manual_seed(0)
    model = cnn()
    start = flatten(model.parameters()).detach().to(device)
    inputs, targets = torch.randn(EXAMPLES, 1, 28, 28), torch.randint(10, (EXAMPLES,))
    problem = Problem(model.to(device), cross_entropy, inputs.to(device), targets.to(device))
    return Task(problem, {0: start}, Course(steps=10**9, mini_batch=MINI_BATCH, storage=storage))


def points(number: int) -> list[Point]:
    """Returns points of one delay, whose learning rates are so small that none diverges."""
    return [Point(DELAY, 1e-4 * (1 + i / number)) for i in range(number)]


def together_and_alone(device: torch.device, *, number: int, steps: int) -> dict[str, Any]:
    """Returns the seconds of a point's step in a stack, and of a point's that trains alone."""
    stack = StackedTraining(task(device), points(number))
    single = SingleTraining(task(device), points(1)[0])
    for training in (stack, single):
        training.advance(WARM)
    stacked = fastest(device, partial(stack.advance, steps)) / (number * steps)
    alone = fastest(device, partial(single.advance, steps)) / steps
    return {
        **{"points": number, "steps": steps, "stacked_seconds": stacked, "one_after_another_seconds": alone},
        "ratio": alone / stacked,
    }


def bfloat16_queue(device: torch.device, *, number: int, steps: int) -> dict[str, Any]:
    """Returns seconds of a step, the queue's bytes and the losses where gradients wait in bfloat16, and as they are."""
    seconds, sizes, losses = {}, {}, {}
    for name, storage in {"float32": None, "bfloat16": torch.bfloat16}.items():
        training = StackedTraining(task(device, storage=storage), points(number))
        training.advance(WARM)
        seconds[name] = fastest(device, partial(training.advance, steps)) / steps
        sizes[name] = sum(waiting.nbytes for group in training.groups for waiting in group.gradients)
        losses[name] = torch.tensor([outcome.loss for outcome in training.outcomes()])
    apart = (losses["bfloat16"] - losses["float32"]).abs() / losses["float32"]
    return {
        **{"step_seconds": seconds, "queue_bytes": sizes},
        "largest_relative_difference_of_a_loss": float(apart.max()),
    }


def captured_step(device: torch.device, *, number: int, steps: int) -> dict[str, Any]:
    """Returns the seconds of a stacked gradient as it is launched, and replayed from a CUDA graph.

    Raises:
        Skipped: the device has no CUDA graphs.
    """
    training = StackedTraining(task(device), points(number))
    training.advance(WARM)
    batch = training._batch()
    training._batch = lambda: batch  # type: ignore[method-assign]  # a graph has fixed inputs
    launched_seconds = fastest(device, partial(_repeat, training.gradients, steps)) / steps
    if device.type != "cuda":
        raise Skipped(
            f"CUDA graphs are for a GPU of NVIDIA's; launched, a gradient takes {launched_seconds:.3g} s here"
        )
    _, launched = training.gradients()
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        for _ in range(3):
            training.gradients()
    torch.cuda.current_stream(device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        _, captured = training.gradients()
    captured_seconds = fastest(device, partial(_repeat, graph.replay, steps)) / steps
    return {
        **{"points": number, "launched_seconds": launched_seconds, "captured_seconds": captured_seconds},
        "ratio": launched_seconds / captured_seconds,
        "largest_relative_difference": _apart(captured, launched),
    }


def _repeat(run: Callable[[], object], times: int) -> None:
    for _ in range(times):
        run()


def _apart(some: tuple[Tensor, ...], others: tuple[Tensor, ...]) -> float:
    """Returns the largest difference of two lists of tensors, relative to the largest entry."""
    one, other = flatten(some), flatten(others)
    return float((one - other).abs().max() / other.abs().max())
