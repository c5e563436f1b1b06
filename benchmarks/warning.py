"""Warns of 40 trainings, half of which diverge: how early, and how often in vain; see `benchmarks/probe.py`."""

import statistics
import warnings
from typing import Any

import torch
from torch import Tensor

import tautune
from tautune.search_spaces import find
from tautune.trainables.theory.problem import Problem
from tautune.trainables.threshold.descent import Descent

Json = dict[str, Any]
DELAYS = (0, 1, 2, 4, 8)
RUNS = 40
RATES = (0.7, 1.5)
MOST_STEPS = 6000
FEW = 300
"""Examples of the trainings that are warned of."""
CALM = 1000
"""Steps after which a training below its threshold, of which nobody was warned, is taken for calm."""
KICK = 1e-3
"""Distance from the minimum, relative to the weights' norm, at which each of the 40 trainings begins."""


def decayed_groups(problem: Problem) -> list[Json]:
    """Returns the study's L2 as an optimizer's weight decay, which biases are spared."""
    weights = [p for p in problem.parameters if p.ndim > 1]
    biases = [p for p in problem.parameters if p.ndim == 1]
    return [{"params": weights, "weight_decay": problem.l2}, {"params": biases}]


def warned() -> Json:
    """Returns how early the 40 trainings are warned of; each takes delays and directions of its own in turn."""
    problem = find("digits").problem()
    problem.inputs, problem.targets = problem.inputs[:FEW], problem.targets[:FEW]
    descent = Descent(problem)
    while not descent.advance():
        pass
    minimum = descent.minimum()
    rows = []
    for number in range(RUNS):
        share = RATES[0] + (RATES[1] - RATES[0]) * _spread(number)
        delay = DELAYS[number % len(DELAYS)]
        rows.append(_one(problem, minimum.point, minimum.sharpness, share, delay, seed=number))
    above = [row for row in rows if row["diverged_at"] is not None]
    below = [row for row in rows if row["diverged_at"] is None]
    ahead = [row["diverged_at"] - row["warned_at"] for row in above if row["warned_at"] is not None]
    return {
        "runs": RUNS,
        "diverged": len(above),
        "warned_of_those": len(ahead),
        "false_alarms": sum(row["warned_at"] is not None for row in below),
        "steps_ahead": {"median": statistics.median(ahead), "least": min(ahead), "most": max(ahead)} if ahead else None,
        "rows": rows,
    }


def _spread(number: int) -> float:
    """Returns places in [0, 1], of which half of all lie above the threshold's, at 3/8."""
    half = RUNS // 2
    edge = (1 - RATES[0]) / (RATES[1] - RATES[0])
    if number < half:
        return edge * (number + 0.5) / half
    return edge + (1 - edge) * (number - half + 0.5) / half


def _one(problem: Problem, start: Tensor, sharpness: float, share: float, delay: int, *, seed: int) -> Json:
    generator = torch.Generator().manual_seed(seed)
    kick = torch.randn(len(start), generator=generator, dtype=start.dtype)
    problem.move_to(start + KICK * start.norm() * kick / kick.norm())
    rate = share * tautune.max_stable_learning_rate(sharpness, delay)
    optimizer = tautune.GradientQueue(torch.optim.SGD(decayed_groups(problem), rate), delay)
    whole = (problem.inputs, problem.targets)
    monitor = tautune.StabilityMonitor(problem.model, problem.loss, whole, optimizer, every=20)
    first, warned_at, diverged_at = None, None, None
    for step in range(1, MOST_STEPS + 1):
        optimizer.zero_grad()
        loss = problem.backward(penalty=False)  # which the optimizer adds as its weight decay
        first = loss if first is None else first
        if not loss < 2 * first:
            diverged_at = step
            break
        optimizer.step()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            monitor.step()
        if told and warned_at is None:
            warned_at = step
        if warned_at is None and step >= CALM and share < 1:
            break
    return {"rate": share, "delay": delay, "warned_at": warned_at, "diverged_at": diverged_at}
