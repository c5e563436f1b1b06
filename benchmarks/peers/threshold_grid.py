"""Finds the stability threshold as published: trains at every learning rate of a grid and sees which trainings leave.

The learning rates are 8 % apart, as in the paper, and span a factor of four around theory's threshold. Each training
lasts 600 (τ+1) steps, or until its distance to the minimum has grown a thousandfold.
"""

from collections import deque
from typing import NamedTuple

import torch
from torch import Tensor

from tautune.trainables.theory.problem import Problem

SPACING = 1.08
FACTOR = 2.0
"""The grid spans theory's threshold divided by this to theory's threshold times this."""
STEPS = 600
"""Steps of a training, times τ+1."""
LEFT = 1e3
"""Growth of the distance at which training has left the minimum."""


class GridThreshold(NamedTuple):
    learning_rate: float
    """The (geometric) middle between the largest rate at which training stayed and the next one."""
    gradient_evaluations: int


def learning_rates(around: float) -> list[float]:
    rates = [around / FACTOR]
    while rates[-1] < around * FACTOR:
        rates.append(rates[-1] * SPACING)
    return rates


def grid_threshold(problem: Problem, minimum: Tensor, direction: Tensor, *, delay: int, around: float) -> GridThreshold:
    """Trains from 1e-6 ‖x*‖ beside the minimum, with the full batch."""
    distance = 1e-6 * float(minimum.norm())
    evaluations = 0
    stayed = 0.0
    for rate in learning_rates(around):
        x = minimum + distance * direction
        waiting: deque[Tensor] = deque()
        left = False
        for _ in range(STEPS * (delay + 1)):
            _, gradient = problem.value_and_gradient(x)
            evaluations += 1
            waiting.append(gradient)
            if len(waiting) > delay:
                x = x - rate * waiting.popleft()
                left = not float((x - minimum).norm()) < LEFT * distance
                if left:
                    break
        if not left and torch.isfinite(x).all() and float((x - minimum).norm()) <= distance:
            stayed = max(stayed, rate)
    return GridThreshold(stayed * SPACING**0.5, evaluations)
