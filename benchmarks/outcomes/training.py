"""What is trained: a small network on digits and on Fashion-MNIST, and the curvatures where its training begins."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import NamedTuple

import torch
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy

from tautune.search_spaces.stability_study import StabilityStudy
from tautune.trainables.supervised.datasets import load
from tautune.trainables.theory.problem import Problem
from tautune.trainables.theory.sharpness import largest_eigenvalue

DATA = {"digits": (1437, 360), "fashion_mnist": (10_000, 2_000)}
"""Training and validation examples of each data set."""
UNITS = 32
SMALL = 16
"""Width in pixels from which images are averaged, so that a study takes minutes."""
MINI_BATCH = 32
AVERAGED = 100
"""Mini-batches over which squared gradients are averaged for the preconditioned curvature."""
EPSILON = 1e-8
"""Adam's ε."""


class Training(NamedTuple):
    problem: Problem
    validation: Problem
    test: Problem
    """Examples that the others do not have: the data set's own test images, unless all of them are trained on."""
    starts: Mapping[int, Tensor]
    """The initial weights [P] of each seed."""
    curvature: float
    """Largest eigenvalue of the Hessian of the training loss, at the first seed's initial weights."""
    preconditioned: float
    """The same of P^(-1/2) H P^(-1/2), where P = √v + ε and v is the mean of the mini-batches' squared gradients."""


def mlp(features: int) -> nn.Module:
    return nn.Sequential(nn.Linear(features, UNITS), nn.Tanh(), nn.Linear(UNITS, 10))


def training(data: str, seeds: int, *, with_test: bool = False, model: Callable[[int], nn.Module] = mlp) -> Training:
    """Returns what is trained on a data set; the examples are the same for all seeds.

    Args:
        with_test: whether the test images are for a test; else those of digits, which are few, are used as well.
        model: makes the network of so many pixels, which are one dimension.
    """
    examples, held_out = DATA[data]
    everything = load(data)
    pooled = [everything.train] if with_test or data != "digits" else [everything.train, everything.test]
    pixels, classes = (torch.cat([getattr(part, name) for part in pooled]) for name in ("pixels", "targets"))
    parts = train_test_split(
        _inputs(pixels),
        classes,
        train_size=min(examples, len(pixels) - held_out),
        test_size=held_out,
        random_state=0,
        stratify=classes,
    )
    inputs, held_out_inputs, targets, held_out_targets = parts

    def study(inputs: Tensor, targets: Tensor) -> StabilityStudy:
        return StabilityStudy(
            name=data,
            data=(inputs, targets),
            model=lambda: model(inputs.shape[1]),
            loss=cross_entropy,
            precision=torch.float32,
        )

    trained = study(inputs, targets)
    problem = trained.problem()
    starts = {seed: trained.start(seed) for seed in range(seeds)}
    curvatures = [curvature(problem, starts[0], preconditioned=given) for given in (False, True)]
    test = study(_inputs(everything.test.pixels), everything.test.targets).problem()
    return Training(problem, study(held_out_inputs, held_out_targets).problem(), test, starts, *curvatures)


def _inputs(pixels: Tensor) -> Tensor:
    """Returns bytes [N, 1, H, W] as inputs [N, …] from 0 to 1; larger images are averaged over 2 × 2 pixels."""
    images = pixels.float() / 255
    return (images if images.shape[-1] < SMALL else avg_pool2d(images, 2)).flatten(1)


def curvature(problem: Problem, x: Tensor, *, preconditioned: bool) -> float:
    """Returns the largest eigenvalue of the Hessian at x [P], or of the preconditioned one."""
    scale = torch.ones_like(x)
    if preconditioned:
        scale = (mean_square_gradient(problem, x).sqrt() + EPSILON).rsqrt()
    return largest_eigenvalue(lambda v: scale * problem.hessian_vector_product(x, scale * v), x, tolerance=1e-3).value


def mean_square_gradient(problem: Problem, x: Tensor) -> Tensor:
    """Returns the mean [P] of the squared gradients of mini-batches at x [P]: what Adam's v̂ is while x stays."""
    problem.move_to(x)
    total = torch.zeros_like(x)
    for batch in islice(problem.batches(MINI_BATCH, seed=0), AVERAGED):
        for parameter in problem.parameters:
            parameter.grad = None
        problem.backward(batch)
        total += torch.cat([p.grad.flatten() for p in problem.parameters if p.grad is not None]).square()
    return total / AVERAGED
