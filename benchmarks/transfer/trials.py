"""A search without delay and at each delay, and what the best without delay becomes there.

The search tries 24 configurations: learning rates, and momenta where the optimizer has one. All configurations of an
optimizer at a delay train together, a lane for each of them and each seed.
"""

import gc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from torch import nn
from torch.optim import Optimizer

from benchmarks.outcomes.lanes import Lane, train
from benchmarks.outcomes.training import MINI_BATCH, Training
from tautune.runners.starting_curvature import EXAMPLES, TOLERANCE
from tautune.trainables.curvature.probing import curvature_of
from tautune.trainables.supervised.hyperparameters import TrainingConfig
from tautune.trainables.supervised.optimizers import make_optimizer
from tautune.trainables.theory.transfer import Start, Transferred, transfer

Json = dict[str, Any]
OPTIMIZERS = ("sgd", "nesterov", "adamw")
MOMENTA = (0.5, 0.9)
"""The momenta that are searched, or β₁."""
HIGHEST = {"sgd": 8.0, "nesterov": 1.0, "adamw": 0.1}
"""The highest learning rate of a search; the lowest is 2^-11.5 of it, or 2^-12 where one rate is tried only once."""
RATES = 12
"""Learning rates for each momentum, a factor of 2 apart; without momentum there are twice as many, √2 apart."""
SEARCHED = 24
"""Configurations of a search."""


@dataclass(frozen=True)
class Plan:
    """What is trained."""

    delays: tuple[int, ...] = (1, 3, 7, 15, 31)
    """τ, in steps."""
    optimizers: tuple[str, ...] = OPTIMIZERS
    seeds: int = 3
    steps: int = 600
    mini_batch: int = MINI_BATCH


def space(optimizer: str) -> list[TrainingConfig]:
    """Returns the configurations that a search tries, without delay."""
    high = HIGHEST[optimizer]
    if optimizer == "sgd":
        rates = [high * 2 ** (-place / 2) for place in range(SEARCHED)]
        return [TrainingConfig(optimizer=optimizer, learning_rate=rate, momentum=0.0) for rate in rates]
    rates = [high * 2.0**-place for place in range(RATES)]
    return [TrainingConfig(optimizer=optimizer, learning_rate=η, momentum=m) for m in MOMENTA for η in rates]


def at_delay(best: TrainingConfig, delay: int, curvature: float) -> dict[str, TrainingConfig]:
    """Returns what a configuration that was the best without delay becomes, by each way to carry it over.

    Args:
        curvature: λ₀, where its training begins.
    """
    m = 0.0 if best.optimizer == "sgd" else best.momentum
    start = Start(best.learning_rate, curvature)
    kept, changed = (transfer(best.optimizer, m, delay, keep=keep, start=start) for keep in (True, False))
    late, rate = replace(best, delay=delay), best.learning_rate
    return {
        "reuse": late,
        "ratio": replace(late, learning_rate=rate * kept.ratio),
        "rate": replace(late, learning_rate=rate * kept.factor),
        "transfer": carried(late, changed),
        "unmeasured": carried(late, transfer(best.optimizer, m, delay)),
    }


def starting_curvatures(training: Training) -> dict[int, tuple[float, int]]:
    """Returns λ₀ of each seed as `tautune transfer` measures it, and the gradients of single examples that it costs.

    A product of a Hessian with a vector counts as three gradients.
    """
    found, problem = {}, training.problem
    for seed, start in training.starts.items():
        problem.move_to(start)
        some = [(problem.inputs[:EXAMPLES], problem.targets[:EXAMPLES])]
        curvature = curvature_of(problem.model, problem.loss, some, tolerance=TOLERANCE)
        found[seed] = curvature.sharpness, 3 * curvature.products * EXAMPLES
    return found


def carried(late: TrainingConfig, found: Transferred) -> TrainingConfig:
    """Returns a configuration with what `transfer` found for it."""
    return replace(
        late,
        optimizer=found.optimizer,
        momentum=found.momentum,
        remedy=found.remedy,
        learning_rate=late.learning_rate * found.factor,
    )


def rows(
    training: Training,
    plan: Plan,
    optimizer: str,
    delay: int,
    best: Sequence[Json],
    curvatures: Sequence[float],
) -> Json:
    """Returns what came of every configuration at a delay, seed by seed.

    Args:
        curvatures: λ₀ of each seed.
        best: of each seed, the best configuration without delay, as `searched` returns it; empty at a delay of 0.
    """
    tried = [[replace(config, delay=delay) for config in space(optimizer)] for _ in range(plan.seeds)]
    ways = [
        at_delay(TrainingConfig(**one["config"]), delay, curvature)
        for one, curvature in zip(best, curvatures, strict=False)
    ]
    for configs, own_ways in zip(tried, ways, strict=False):
        configs += own_ways.values()
    lanes = [Lane(seed, partial(made, config)) for seed, configs in enumerate(tried) for config in configs]
    outcomes = train(
        training.problem,
        training.validation,
        training.starts,
        lanes,
        steps=plan.steps,
        mini_batch=plan.mini_batch,
        test=training.test,
    )
    gc.collect()  # an optimizer's wrappers refer to one another, and hold all late gradients
    found: Json = {"optimizer": optimizer, "delay": delay, "seeds": []}
    for seed, configs in enumerate(tried):
        own = outcomes[seed * len(configs) : (seed + 1) * len(configs)]
        told = [_told(config, outcome) for config, outcome in zip(configs, own, strict=True)]
        searched, others = told[:SEARCHED], told[SEARCHED:]
        entry: Json = {"search": max(searched, key=lambda one: (one["validation_accuracy"], -one["validation_loss"]))}
        entry |= dict(zip(ways[seed], others, strict=True)) if ways else {}
        found["seeds"].append(entry)
    return found


def _told(config: TrainingConfig, outcome: Any) -> Json:
    names = ("optimizer", "learning_rate", "momentum", "delay", "remedy")
    return {
        "config": {name: getattr(config, name) for name in names},
        "validation_accuracy": outcome.accuracy,
        "validation_loss": outcome.loss,
        "test_accuracy": outcome.test_accuracy,
        "diverged": outcome.diverged,
    }


def made(config: TrainingConfig, model: nn.Module) -> Optimizer:
    """Returns the optimizer that a tuning or a refit would train with."""
    return make_optimizer(model.parameters(), config)
