"""How late gradients become steps, where that is not the paper's SGD: as theory has it, and as a file keeps it.

This module does not need torch.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, Self, cast

from tautune.trainables.asynchronous.settings import Workers
from tautune.trainables.theory import stability
from tautune.trainables.theory.delays import Delays
from tautune.trainables.theory.loop import TrainingLoop
from tautune.trainables.theory.momentum import NO_MOMENTUM, Momentum
from tautune.trainables.theory.optimizer_names import BY_NAME, PRECONDITIONED, default_momentum, papers_optimizer

Json = dict[str, Any]
MEASURED = tuple(BY_NAME)
"""Optimizers whose thresholds can be measured at a minimum; Adam and its kin with their preconditioner held."""


@dataclass(frozen=True, kw_only=True)
class Update:
    """An optimizer by its name, with the delays and the remedy that go with it.

    Raises:
        ValueError: a name or a number is out of its bounds, or they do not go together.
    """

    optimizer: str = "sgd"
    momentum: float | None = None
    """m as the optimizer of that name takes it; None is the optimizer's own default."""
    remedy: str | None = None
    """predict:T, or predict for each gradient's own delay."""
    drawn: tuple[tuple[int, float], ...] = ()
    """Delays that are drawn anew at each step, in steps, each with its probability; without them the delay is fixed."""
    stages: tuple[int, ...] = ()
    """Delay in steps of each stage of a pipeline, from the model's first children to its last."""
    shares: tuple[float, ...] = ()
    """Share of the sharpest eigenvector in each stage, Σ u_j² over its parameters; equal until it is known."""

    workers: Workers | None = None
    """Real workers, whose gradients are as late as they are; `drawn` are then the ages that were recorded."""

    def __post_init__(self) -> None:
        if self.workers and (self.stages or self.remedy):
            raise ValueError("workers go without stages and remedies in a sweep")
        if (self.remedy or "").startswith("compensate"):
            raise ValueError(
                "remedy compensate cannot be measured: with the curvature of DC-ASGD, g gᵀ, it vanishes at a minimum. "
                "A sweep takes predict:T"
            )
        if "/" in self.optimizer:
            raise ValueError(
                f"optimizer must be a name where steps are made: the filter {self.optimizer!r} has no code to run; "
                "`tautune threshold` and tautune.TrainingLoop know its threshold"
            )
        if self.drawn and self.stages:
            raise ValueError("delays are either drawn or those of stages, not both")
        if self.shares and len(self.shares) != len(self.stages):
            raise ValueError(f"shares must hold one number for each of the {len(self.stages)} stages")
        self.loop(self.longest or 0)

    @property
    def m(self) -> float:
        """Returns the momentum, the optimizer's default where none is given."""
        return default_momentum(self.optimizer) if self.momentum is None else self.momentum

    @property
    def is_preconditioned(self) -> bool:
        """Returns whether the optimizer divides by the gradients' size, so that a preconditioner is held."""
        return self.optimizer in PRECONDITIONED

    @property
    def varies(self) -> bool:
        """Returns whether the delay changes from step to step."""
        return len(self.drawn) > 1 or bool(self.workers and self.workers.count > 1)

    @property
    def longest(self) -> int | None:
        """Returns the longest of the delays in steps; None where the delay is fixed, and is a sweep's own."""
        if self.workers:
            return self.workers.count - 1
        steps = [delay for delay, _ in self.drawn] or list(self.stages)
        return max(steps, default=None)

    def delays(self, delay: int) -> Delays:
        """Returns the delays with their shares; `delay` is the one of a sweep, where the update has none."""
        if self.drawn:
            return Delays.random(dict(self.drawn))
        return Delays.stages(self.stages, self.shares or None) if self.stages else Delays.fixed(delay)

    def loop(self, delay: int) -> TrainingLoop:
        """Returns the training loop at a delay, of which theory knows the threshold."""
        return TrainingLoop(self.optimizer, self.delays(delay), self.remedy or (), self.momentum)

    def with_shares(self, shares: tuple[float, ...]) -> Self:
        """Returns the same update, for a minimum whose sharpest eigenvector has these shares in the stages."""
        return replace(self, shares=shares) if self.stages else self

    def as_json(self) -> Json:
        """Returns all that is set, and the momentum, as plain values."""
        values = {
            name: value for name, value in (asdict(self) | {"momentum": self.m}).items() if value not in ((), None)
        }
        return cast("Json", json.loads(json.dumps(values)))  # lists for tuples, as run.json has them when it is read

    @classmethod
    def from_json(cls, values: Json) -> Self:
        """Returns the update that `as_json` wrote."""
        fields: Json = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        if "drawn" in fields:
            fields["drawn"] = tuple((int(d), float(p)) for d, p in fields["drawn"])
        if "workers" in fields:
            fields["workers"] = Workers.from_json(fields["workers"])
        return cls(**fields)

    @property
    def slug(self) -> str:
        """Returns the description as a part of a folder's name, such as nesterov-0.9-predict-4."""
        return re.sub(r"[^a-z0-9.]+", "-", str(self))

    def __str__(self) -> str:
        """Returns a description such as "nesterov 0.9, predict:4, delays 0 to 8, 4 on average"."""
        parts = [f"{self.optimizer} {self.m:g}" if self.m else self.optimizer, self.remedy]
        if self.workers:
            parts.append(str(self.workers))
        if self.stages:
            parts.append("stages " + ", ".join(map(str, self.stages)))
        elif self.drawn:
            parts.append(f"delays {self.delays(0)}")
        return ", ".join(part for part in parts if part)


def steps_vary(mini_batch: int | None, update: Update | None) -> bool:
    """Returns whether steps differ by chance: by their mini-batch or their delay."""
    return mini_batch is not None or bool(update and update.varies)


def predicted(sharpness: float, delay: int, momentum: Momentum, update: Update | None) -> float:
    """Returns theory's largest stable learning rate of an update or, without one, of the paper's SGD."""
    if update:
        return update.loop(delay).max_stable_learning_rate(sharpness)
    return stability.max_stable_learning_rate(sharpness, delay, momentum)


@cache
def typical(update: Update, delay: int, ages: tuple[int, ...] | None = None) -> float:
    """Returns the aη up to which a single training comes closer: with ages as they came, or drawn independently."""
    return update.loop(delay).typical_threshold(ages)


def expected(sharpness: float, delay: int, momentum: Momentum, update: Update | None) -> float:
    """Returns what theory expects a sweep to measure: the threshold of a single training where delays are drawn."""
    if update and update.varies and not update.workers:
        return typical(update, delay) / sharpness
    return predicted(sharpness, delay, momentum, update)


def mean_square(sharpness: float, delay: int, momentum: Momentum, update: Update | None, noise: float) -> float:
    """Returns the learning rate up to which the squared distance to the minimum stays bounded on average.

    Args:
        noise: r, the variance of the mini-batches' curvature over its mean's square.
    """
    papers = Update(optimizer=papers_optimizer(momentum.value, momentum.shifted), momentum=momentum.value)
    return (update or papers).loop(delay).mean_square_threshold(noise) / sharpness


def asked(
    optimizer: str | None,
    momentum: float | None,
    shifted: bool,
    remedy: str | None,
    late: Delays | None,
    stages: Sequence[int],
    workers: Workers | None = None,
) -> tuple[Momentum, Update | None]:
    """Returns the paper's momentum, and the update if something else is asked for, which has the momentum then.

    Args:
        optimizer: its name; None is the paper's SGD, whose momentum is dampened and may be shifted.
        late: delays that are drawn anew at each step; None where the delay is fixed.
        stages: delay of each stage; empty where the delay is the same for all parameters.
        workers: real ones, whose gradients are as late as they are.

    Raises:
        ValueError: a value is out of its bounds, or they do not go together.
    """
    if optimizer is None and remedy is None and late is None and not stages and workers is None:
        return Momentum(momentum or 0.0, shifted), None
    if optimizer is not None and shifted:
        raise ValueError("shifted must be left out where there is an optimizer: give optimizer shifted-momentum")
    if workers and late:
        raise ValueError("delays must be left out where there are workers, which have their own")
    drawn = tuple(zip(late.steps, late.shares, strict=True)) if late else ()
    optimizer = optimizer or papers_optimizer(momentum, shifted)
    update = Update(
        optimizer=optimizer, momentum=momentum, remedy=remedy, drawn=drawn, stages=tuple(stages), workers=workers
    )
    return NO_MOMENTUM, update
