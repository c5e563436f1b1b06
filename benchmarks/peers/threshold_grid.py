"""The stability threshold as published: training at every learning rate of a grid, to see at which it leaves.

Learning rates are 8 % apart, as in the paper, over a factor of four around theory's threshold, and each training goes
on for 600 (τ+1) steps, unless the distance to the minimum grows a thousandfold before.
"""

from collections import deque
from typing import NamedTuple

import torch
from torch import Tensor

from tautune.trainables.theory.problem import Problem

SPACING = 1.08
FACTOR = 2.0
"""The grid goes from theory's threshold over this to theory's threshold times this."""
STEPS = 600
"""For each step of τ+1."""
LEFT = 1e3


class GridThreshold(NamedTuple):
    learning_rate: float
    """Midway between the largest at which training stayed and the next one."""
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
