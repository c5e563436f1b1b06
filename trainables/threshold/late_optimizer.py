"""The optimizers, with late gradients, whose thresholds are measured."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from tautune.trainables.delay.pipeline import pipeline_delays
from tautune.trainables.delay.queue import GradientQueue
from tautune.trainables.delay.remedies.weight_prediction import WeightPrediction
from tautune.trainables.delay.schedules import RandomDelay
from tautune.trainables.delay.sgd import delayed_sgd
from tautune.trainables.delay.shifted_momentum import ShiftedMomentumSGD
from tautune.trainables.delay.spike_compensation import SpikeCompensatedSGD
from tautune.trainables.theory.problem import Problem
from tautune.trainables.theory.remedies import Prediction, parse_remedy
from tautune.trainables.threshold.held import DECAY, fill
from tautune.trainables.threshold.record import Settings
from tautune.trainables.threshold.update import Update

Make = Callable[[Iterable[Any], float, float, float], Optimizer]
OPTIMIZERS: dict[str, Make] = {
    "sgd": lambda p, η, m, D: torch.optim.SGD(p, η, momentum=m),
    "dampened-momentum": lambda p, η, m, D: ShiftedMomentumSGD(p, η, momentum=m),
    "nesterov": lambda p, η, m, D: torch.optim.SGD(p, η, momentum=m, nesterov=True),
    "shifted-momentum": lambda p, η, m, D: ShiftedMomentumSGD(p, η, momentum=m, shift=int(D)),
    "adam": lambda p, η, m, D: torch.optim.Adam(p, η, betas=(m, DECAY)),
    "adamw": lambda p, η, m, D: torch.optim.AdamW(p, η, betas=(m, DECAY), weight_decay=0.0),
    "nadam": lambda p, η, m, D: torch.optim.NAdam(p, η, betas=(m, DECAY)),
    "rmsprop": lambda p, η, m, D: torch.optim.RMSprop(p, η, alpha=DECAY, momentum=m),
    "spike-compensation": lambda p, η, m, D: SpikeCompensatedSGD(p, η * (1 - m), momentum=m, horizon=D),
}
"""Each takes parameters, a learning rate, a momentum and the mean delay in steps."""


def late_optimizer(
    problem: Problem, settings: Settings, learning_rate: float, squares: torch.Tensor | None = None
) -> Optimizer:
    """Returns the optimizer of a measurement, behind its delay and its remedy.

    Args:
        squares: v [P], at which a preconditioner is held.
    """
    update = settings.update
    if update is None:
        return delayed_sgd(problem.parameters, learning_rate, settings.delay, settings.momentum)
    groups: Iterable[Any] = problem.parameters
    delay: Any = settings.delay
    if update.stages:
        groups, delay = stages_of(problem.model, update)
    elif update.drawn:
        chances = dict(update.drawn)
        probabilities = tuple(chances.get(d, 0.0) for d in range(max(chances) + 1))
        delay = RandomDelay(probabilities=probabilities, seed=settings.seed)
    optimizer = OPTIMIZERS[update.optimizer](groups, learning_rate, update.m, update.delays(settings.delay).mean)
    if squares is not None:
        fill(optimizer, problem, squares)
    queue = GradientQueue(optimizer, delay)
    remedy = parse_remedy(update.remedy) if update.remedy else None
    return WeightPrediction(queue, remedy.horizon) if isinstance(remedy, Prediction) else queue


def stages_of(model: nn.Module, update: Update) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Returns the parameter groups of the stages, without the parameters that stay fixed, and the delay of each."""
    groups, _ = pipeline_delays(model, len(update.stages))
    for group in groups:
        group["params"] = [parameter for parameter in group["params"] if parameter.requires_grad]
    return groups, {group["name"]: delay for group, delay in zip(groups, update.stages, strict=True)}


def shares_of_stages(problem: Problem, update: Update, direction: torch.Tensor) -> tuple[float, ...]:
    """Returns Σ u_j² over the parameters of each stage, for the unit eigenvector u [P].

    Raises:
        ValueError: the model has fewer children with parameters than there are stages.
    """
    groups, _ = stages_of(problem.model, update)
    stage_of = {id(parameter): number for number, group in enumerate(groups) for parameter in group["params"]}
    shares, at = [0.0] * len(groups), 0
    for parameter in problem.parameters:
        part = direction[at : at + parameter.numel()]
        shares[stage_of[id(parameter)]] += float(part @ part)
        at += parameter.numel()
    total = sum(shares)
    return tuple(share / total for share in shares)
