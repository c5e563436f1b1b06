"""The final loss of every optimizer and remedy at every delay, each with the best of the same number of learning rates.

A ladder of learning rates begins around theory's threshold of the optimizer without a remedy, over the curvature where
training begins; it is then refined around its best rate, first by factors of 2 and then of √2.
"""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from torch import nn
from torch.optim import Optimizer

import tautune
from benchmarks.outcomes.lanes import Lane, train
from benchmarks.outcomes.training import MINI_BATCH, Training
from tautune.trainables.theory.advice import Advice
from tautune.trainables.theory.optimizer_names import PRECONDITIONED

Json = dict[str, Any]
LADDER = (1 / 16, 1 / 4, 1.0, 4.0, 16.0)
"""Learning rates that are tried first, in units of theory's threshold over the curvature."""
REFINED = (2.0, 2.0**0.5)
"""Factors by which the best rate so far is then divided and multiplied."""


@dataclass(frozen=True)
class Plan:
    """What is trained; everything that a result depends on besides the versions."""

    delays: tuple[int, ...] = (1, 4, 8, 16)
    """τ, in steps."""
    seeds: int = 3
    steps: int = 600
    mini_batch: int = MINI_BATCH
    ladder: tuple[float, ...] = LADDER
    refined: tuple[float, ...] = REFINED
    optimizers: tuple[str, ...] = ()
    """Those that are trained; all of them if there are none."""


def cells(training: Training, plan: Plan, done: Sequence[Json]) -> Iterator[Json]:
    """Yields a row for each delay, optimizer and remedy, those that are `done` as they are."""
    known = {key(row): row for row in done}
    for delay in plan.delays:
        advice = [row for row in tautune.advise(delay) if not plan.optimizers or row.optimizer in plan.optimizers]
        alone = {row.optimizer: row.threshold for row in advice if row.remedy == "none"}
        for place, row in enumerate(advice, 1):
            told = {"delay": delay, "rank": place} | asdict(row)
            curvature = training.preconditioned if row.optimizer in PRECONDITIONED else training.curvature
            yield known.get(key(told)) or told | {"rates": tuned(training, plan, row, alone[row.optimizer] / curvature)}


def key(row: Json) -> tuple[int, str, str]:
    return row["delay"], row["optimizer"], row["remedy"]


def tuned(training: Training, plan: Plan, advice: Advice, unit: float) -> list[Json]:
    """Returns what came of each learning rate; `unit` is the threshold, in the η of theory."""
    rates = tried(training, plan, advice, unit, plan.ladder)
    for factor in plan.refined:
        best = best_rate(rates)["factor"]
        rates += tried(training, plan, advice, unit, (best / factor, best * factor))
    return sorted(rates, key=lambda rate: rate["factor"])


def tried(training: Training, plan: Plan, advice: Advice, unit: float, factors: Sequence[float]) -> list[Json]:
    """Returns the outcomes of every seed at the threshold times each factor; all of them train together."""
    lanes = [
        Lane(seed, partial(made, advice, factor * unit / advice.best_step))
        for factor in factors
        for seed in range(plan.seeds)
    ]
    outcomes = train(
        training.problem,
        training.validation,
        training.starts,
        lanes,
        steps=plan.steps,
        mini_batch=plan.mini_batch,
    )
    gc.collect()  # an optimizer's wrappers refer to one another, and hold all late gradients
    rows = []
    for number, factor in enumerate(factors):
        own = outcomes[number * plan.seeds : (number + 1) * plan.seeds]
        rate = {"factor": factor, "learning_rate": factor * unit, "losses": [outcome.loss for outcome in own]}
        rows.append(rate | {"accuracies": [o.accuracy for o in own], "diverged": [o.diverged for o in own]})
    return rows


def best_rate(rates: Sequence[Json]) -> Json:
    """Returns the rate whose mean loss over the seeds is smallest."""
    return min(rates, key=lambda rate: sum(rate["losses"]))


def made(advice: Advice, factor: float, model: nn.Module) -> Optimizer:
    """Returns what the lines of code of an advice make, its learning rate multiplied by a factor."""
    names: dict[str, Any] = {"model": model, "sharpness": 1.0}
    exec("import tautune, torch\n" + advice.code.partition("\nwith ")[0], names)
    optimizer: Optimizer = names["optimizer"]
    for group in optimizer.param_groups:
        group["lr"] *= factor
    return optimizer
