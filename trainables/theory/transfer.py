"""What a configuration that was tuned without delay becomes at a delay: its learning rate, its momentum, its remedy.

The learning rate is multiplied by usable(τ) / usable(0), where

    usable = min(threshold, 2), at unit gain.

The best learning rate of a training with mini-batches lies near where plain SGD, whose threshold is 2, stops being
stable. Momentum 0.9 has 38 without delay, but mini-batches let nobody use it, whereas under a delay the thresholds of
all optimizers are below 2 soon, and are what limits them. `docs/transfer.md` has what was measured, beside the plain
ratio of the two thresholds.
"""

from dataclasses import dataclass, field
from typing import Any

from tautune.trainables.theory.advice import Advice, advise, largest_at_unit_gain
from tautune.trainables.theory.delays import Delays, as_delays
from tautune.trainables.theory.loop import TrainingLoop
from tautune.trainables.theory.optimizer_names import PRECONDITIONED, WITH_MOMENTUM

PLAIN = 2.0
"""The threshold aη of plain SGD without delay."""
OF_SGD = ("sgd", "dampened-momentum", "nesterov")
"""Optimizers whose velocity may be shifted instead."""


@dataclass(frozen=True, kw_only=True)
class Transferred:
    """An optimizer at a delay, in the place of one without."""

    optimizer: str
    """As `TrainingLoop` has it."""
    momentum: float
    """m, or β₁; 0 for none."""
    remedy: str
    """none, or predict:T."""
    factor: float
    """What the learning rate, as the optimizers take it, is multiplied by."""
    ratio: float
    """The same by the ratio of the two thresholds alone."""
    why: list[str] = field(default_factory=list)


def transfer(optimizer: str, momentum: float, delay: Any, *, keep: bool = False) -> Transferred:
    """Returns what an optimizer that was tuned without delay becomes at a delay.

    Args:
        optimizer: the name of one that `TrainingLoop` knows.
        momentum: its m, or β₁.
        delay: as of a `TrainingLoop`.
        keep: whether optimizer, momentum and remedy stay as they are.

    Raises:
        ValueError: theory does not know the optimizer, or one of the values is out of its bounds.
    """
    delays = as_delays(delay)
    before = TrainingLoop(optimizer, 0, momentum=momentum)
    rows = advise(delays, optimizer=optimizer, momentum=momentum)
    (own,) = [row for row in rows if row.remedy == "none"]
    chosen = own if keep or not _is_warned(own) else _better(own, rows, delays)
    after = TrainingLoop(chosen.optimizer, delays, [] if chosen.remedy == "none" else [chosen.remedy], chosen.momentum)
    gains = before.gain_at_rest / after.gain_at_rest
    factor = usable_step(after) / usable_step(before)
    return Transferred(
        optimizer=chosen.optimizer,
        momentum=chosen.momentum,
        remedy=chosen.remedy,
        factor=factor,
        ratio=gains * largest_at_unit_gain(chosen) / before.threshold_at_unit_gain,
        why=_reasons(own, chosen, delays, factor / gains),
    )


def usable_step(loop: TrainingLoop) -> float:
    """Returns the aη, with the optimizer's own η, up to which a training with mini-batches can use a loop.

    It is the threshold, where delays are drawn that of the mean square, but at most plain SGD's at unit gain.
    """
    threshold = loop.mean_square_threshold() if loop.delay.drawn else loop.threshold
    return min(threshold, PLAIN / loop.gain_at_rest)


def _is_warned(own: Advice) -> bool:
    """Returns whether advice has something against an optimizer at this delay: that its momentum hurts."""
    return own.warning is not None


def _better(own: Advice, rows: list[Advice], delays: Delays) -> Advice:
    """Returns the row of the largest threshold that advice has nothing against, of the same kind of optimizer.

    Adaptive optimizers keep their momentum, against the advice: without it their trainings were worse than their
    thresholds say (`docs/transfer.md`).
    """
    candidates = [row for row in rows if row.warning is None]
    if own.optimizer in PRECONDITIONED:
        return max([own, *candidates], key=largest_at_unit_gain)
    if own.optimizer in OF_SGD and delays.is_fixed:
        candidates += advise(delays, optimizer="shifted-momentum", momentum=own.momentum)
    plain = "sgd" if own.optimizer in WITH_MOMENTUM else own.optimizer
    candidates += [row for row in advise(delays, optimizer=plain, momentum=0.0) if row.remedy == "none"]
    allowed = [row for row in candidates if row.warning is None]
    return max(allowed, key=largest_at_unit_gain, default=own)


def _reasons(own: Advice, chosen: Advice, delays: Delays, factor: float) -> list[str]:
    why = []
    if chosen is not own:
        largest = [f"{largest_at_unit_gain(row):.3g}" for row in (own, chosen)]
        why.append(f"at delay {delays}, {own.warning}")
        why.append(f"{_name(chosen)} is stable up to {largest[1]} at unit gain, and {_name(own)} up to {largest[0]}")
    elif own.optimizer in PRECONDITIONED and _is_warned(own):
        why.append(f"at delay {delays}, {own.warning}, but {own.optimizer} trains worse without it, so it stays")
    if factor < 1:
        why.append(f"the learning rate is {factor:.3g} times what it was, at unit gain: so far falls what is stable")
    else:
        why.append("the learning rate stays, at unit gain: what plain SGD takes without delay is stable")
    return why


def _name(row: Advice) -> str:
    momentum = f" {row.momentum:.3g}" if row.momentum else " without momentum"
    return f"{row.optimizer}{momentum}" + ("" if row.remedy == "none" else f" with {row.remedy}")
