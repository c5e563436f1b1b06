"""Trains the network with one kind of momentum at one delay and every learning rate and seed, all together.

The trainings are those of a grid: the same weights and mini-batches for a seed, and every gradient τ steps late.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import tautune
from benchmarks.outcomes.training import MINI_BATCH, Training, training
from tautune.trainables.grid.point import Course, Point, Task
from tautune.trainables.grid.stacked_network import accuracies_of_each, outputs_of_each
from tautune.trainables.grid.stacked_training import StackedTraining
from tautune.trainables.theory.momentum import Momentum
from tautune.trainables.theory.problem import Problem
from tautune.trainables.theory.transfer import PLAIN

Json = dict[str, Any]
KINDS = {"none": Momentum(0.0), "momentum": Momentum(0.9), "shifted": Momentum(0.9, shifted=True)}
"""The kinds of momentum by their names."""
LADDER = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Learning rates that are tried at each delay, in units of the usable one."""
FIRST = tuple(2.0**power for power in range(-6, 3))
"""Learning rates that are tried without delay."""
CHANCE = 0.1
"""Accuracy of a training that diverged: that of ten classes by chance."""
EVALUATED = 250
"""Examples that are evaluated at once, with the weights of all trainings."""


@dataclass(frozen=True)
class Plan:
    """What is trained."""

    delays: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    """τ, in steps; without delay, everything is trained first."""
    seeds: int = 3
    steps: int = 4992
    """Of one mini-batch; large batches make as many fewer, rounded down."""
    mini_batch: int = MINI_BATCH
    rates: tuple[float, ...] = FIRST
    ladder: tuple[float, ...] = LADDER


class Rate(NamedTuple):
    """A learning rate, and how it was found: one may have been found in several ways."""

    ways: tuple[str, ...]
    learning_rate: float


def network(pixels: int) -> nn.Module:
    """Returns a convolutional network for square images of so many pixels."""
    side = round(pixels**0.5)
    convolutions = [nn.Conv2d(1, 8, 4, stride=2), nn.Tanh(), nn.Conv2d(8, 16, 3), nn.Tanh()]
    features = 16 * ((side - 4) // 2 - 1) ** 2
    return nn.Sequential(nn.Unflatten(1, (1, side, side)), *convolutions, nn.Flatten(), nn.Linear(features, 10))


def prepared(seeds: int) -> Training:
    return training("fashion_mnist", seeds, with_test=True, model=network)


def rates_at(kind: str, delay: int, best: float, plan: Plan) -> list[Rate]:
    """Returns the learning rates that are tried at a delay, given the best without it.

    `kept` is the best without delay as it is; `ratio` is it times the ratio of the loop's thresholds; `usable` is it
    times the ratio where no threshold counts as more than plain SGD's 2, as `tautune transfer` has it. The ladder lies
    around that one.
    """
    momentum = KINDS[kind]
    thresholds = [tautune.threshold(τ, momentum=momentum.value, shifted=momentum.shifted) for τ in (delay, 0)]
    usable = best * min(thresholds[0], PLAIN) / PLAIN
    found: dict[float, list[str]] = {}
    for way, rate in [
        ("kept", best),
        ("ratio", best * thresholds[0] / thresholds[1]),
        ("usable", usable),
        *((f"ladder {factor:g}", usable * factor) for factor in plan.ladder),
    ]:
        found.setdefault(float(f"{rate:.12g}"), []).append(way)
    return [Rate(tuple(ways), rate) for rate, ways in found.items()]


def large_rates(delay: int, best: float) -> list[Rate]:
    """Returns the learning rates of a batch τ + 1 times as large: the best one times powers of 2, up to τ + 1."""
    factors = [2.0**power for power in range(delay.bit_length())] + [delay + 1.0]
    named = {1.0: "kept", delay + 1.0: "linear"}
    return [
        Rate((f"ladder {factor:g}", *([named[factor]] if factor in named else [])), best * factor)
        for factor in dict.fromkeys(factors)
    ]


def trained(
    given: Training, kind: str, delay: int, rates: Sequence[Rate], plan: Plan, *, batches: int = 1
) -> list[Json]:
    """Returns what came of each learning rate, seed by seed.

    Args:
        batches: mini-batches of which one step takes the mean; there are as many fewer steps.
    """
    momentum = KINDS[kind]
    points = [
        Point(delay, rate.learning_rate, momentum.value, momentum.shifted, seed)
        for rate in rates
        for seed in range(plan.seeds)
    ]
    course = Course(steps=plan.steps // batches, mini_batch=plan.mini_batch * batches)
    stacked = StackedTraining(Task(given.problem, given.starts, course), points)
    stacked.advance(course.steps)
    outcomes = stacked.outcomes()
    on = {"validation_accuracies": given.validation, "test_accuracies": given.test}
    each = {
        name: dict(zip(stacked.rows, accuracies_on(examples, stacked.leaves).tolist(), strict=True))
        for name, examples in on.items()
    }
    told = []
    for number, rate in enumerate(rates):
        own = range(number * plan.seeds, (number + 1) * plan.seeds)
        found: Json = {"ways": list(rate.ways), "learning_rate": rate.learning_rate}
        found |= {name: [known.get(i, CHANCE) for i in own] for name, known in each.items()}
        found["training_losses"] = [outcomes[i].loss for i in own]
        told.append(found | {"diverged": [outcomes[i].diverged for i in own]})
    return told


@torch.no_grad()
def accuracies_on(problem: Problem, leaves: tuple[Tensor, ...]) -> Tensor:
    """Returns the accuracies [K] on a problem's examples of networks with weights [K, …]."""
    total = torch.zeros(len(leaves[0]))
    for inputs, targets in zip(problem.inputs.split(EVALUATED), problem.targets.split(EVALUATED), strict=True):
        outputs = outputs_of_each(problem, leaves, inputs, per_point=False)
        total += accuracies_of_each(outputs, targets) * len(inputs) / len(problem)
    return total
