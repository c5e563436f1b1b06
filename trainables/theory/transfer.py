"""What a configuration that was tuned without delay becomes at a delay: its learning rate, its momentum, its remedy.

Where the curvature λ₀ is known at which a training begins, the learning rate is

    η(τ) = min(η(0), usable(τ) / (2 λ₀)),         usable = min(threshold, 2) at unit gain,

since without delay the noise of mini-batches may be what limits the best learning rate, and at long delays stability
is; half of what is stable is where the best ones lay. If λ₀ is not known, η(0) is multiplied by usable(τ) / usable(0):
right where stability was the limit without delay too, and too cautious where it was not. So is that of optimizers which
divide by their gradients' size, since the curvature that they see where their training begins says little.

Why at most 2: the best learning rate of a training with mini-batches is not above where plain SGD stops being stable.
Momentum 0.9 has 38 without delay, but nobody can use it, whereas under a delay the thresholds of all optimizers are
below 2 soon, and are what limits them. `docs/transfer.md` has what was measured, beside the plain ratio of thresholds.
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
SHARE = 0.5
"""Share of the usable step over λ₀: near the edge some trainings fall off, and far below it they are slow."""


@dataclass(frozen=True)
class Start:
    """What is known of a training without delay."""

    learning_rate: float
    """η(0), as the optimizer takes it."""
    curvature: float
    """λ₀, where it begins."""


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


def transfer(
    optimizer: str,
    momentum: float,
    delay: Any,
    *,
    keep: bool = False,
    start: Start | None = None,
    share: float = SHARE,
) -> Transferred:
    """Returns what an optimizer that was tuned without delay becomes at a delay.

    Args:
        optimizer: the name of one that `TrainingLoop` knows.
        momentum: its m, or β₁.
        delay: as of a `TrainingLoop`.
        keep: whether optimizer, momentum and remedy stay as they are.
        start: where its training began, if that is known; it does not matter for Adam and its kin.
        share: of the usable step over λ₀.

    Raises:
        ValueError: theory does not know the optimizer, or one of the values is out of its bounds.
    """
    delays = as_delays(delay)
    start = None if optimizer in PRECONDITIONED else start
    before = TrainingLoop(optimizer, 0, momentum=momentum)
    rows = advise(delays, optimizer=optimizer, momentum=momentum)
    (own,) = [row for row in rows if row.remedy == "none"]
    chosen = own if keep or not _is_warned(own) else _better(own, rows, delays)
    after = TrainingLoop(chosen.optimizer, delays, [] if chosen.remedy == "none" else [chosen.remedy], chosen.momentum)
    gains = before.gain_at_rest / after.gain_at_rest
    factor = usable_step(after) / usable_step(before)
    if start is not None and delays.maximum:
        factor = min(gains, share * usable_step(after) / start.curvature / start.learning_rate)
    return Transferred(
        optimizer=chosen.optimizer,
        momentum=chosen.momentum,
        remedy=chosen.remedy,
        factor=factor,
        ratio=gains * largest_at_unit_gain(chosen) / before.threshold_at_unit_gain,
        why=_reasons(own, chosen, delays, factor / gains, start),
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


def _reasons(own: Advice, chosen: Advice, delays: Delays, factor: float, start: Start | None) -> list[str]:
    why = []
    if chosen is not own:
        largest = [f"{largest_at_unit_gain(row):.3g}" for row in (own, chosen)]
        why.append(f"at delay {delays}, {own.warning}")
        why.append(f"{_name(chosen)} is stable up to {largest[1]} at unit gain, and {_name(own)} up to {largest[0]}")
    elif own.optimizer in PRECONDITIONED and _is_warned(own):
        why.append(f"at delay {delays}, {own.warning}, but {own.optimizer} trains worse without it, so it stays")
    if start is not None and factor < 1:
        why.append(
            "the learning rate is half of what is stable at the curvature where training begins, "
            f"{start.curvature:.3g}: that is {factor:.3g} times what it was, at unit gain"
        )
    elif start is not None:
        why.append(
            f"the learning rate stays, at unit gain: at the curvature where training begins, {start.curvature:.3g}, "
            "it is stable at this delay too"
        )
    elif factor < 1:
        why.append(f"the learning rate is {factor:.3g} times what it was, at unit gain: so far falls what is stable")
    else:
        why.append("the learning rate stays, at unit gain: what plain SGD takes without delay is stable")
    return why


def _name(row: Advice) -> str:
    momentum = f" {row.momentum:.3g}" if row.momentum else " without momentum"
    return f"{row.optimizer}{momentum}" + ("" if row.remedy == "none" else f" with {row.remedy}")
