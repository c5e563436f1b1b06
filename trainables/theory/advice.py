"""Which optimizer, and which remedy, at these delays: all of them compared by what theory says of their loops.

They compare by the threshold at unit gain, which is the largest stable aη once every optimizer moves equally far along
a gradient that does not change, and by how fast a displacement dies out at the best η of each.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tautune.trainables.theory.advice_code import Memory, code, memory
from tautune.trainables.theory.delays import Delays, as_delays
from tautune.trainables.theory.loop import TrainingLoop
from tautune.trainables.theory.optimizer_names import BY_NAME, WITH_MOMENTUM, WITHOUT_MOMENTUM, default_momentum
from tautune.trainables.theory.remedies import Compensation, Prediction, Remedy
from tautune.trainables.theory.stability import check_positive

COMPENSATED = 0.5
"""Share of the curvature that a compensation is taken to know: DC-ASGD's g gᵀ is no more than a guess of it."""
SAME = {"adamw": "adam", "dampened-momentum": "adam", "rmsprop": "sgd"}
"""Optimizers whose filter, gain included, is that of another one."""
SHORTER = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
"""Shares of a horizon that hurts, among which a better one is looked for."""
LARGEST_DELAY = 10_000
"""Longest delay in steps: the steps of fastest decay then take ten seconds or so, for all rows together."""
ROUNDING = 1e-9
"""Relative difference of two thresholds that may be rounding."""
NOISY_SHARE = 0.5
"""Share of the mean-square threshold that the best step is at most where delays are drawn."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What theory says of one optimizer with one remedy, or without."""

    optimizer: str
    momentum: float
    """m, or β₁."""
    remedy: str
    """none, predict:T, predict (each stage's own delay), or compensate:C."""
    threshold: float
    """The aη at which it stops being stable, with η as the optimizer takes it; infinite if it never does."""
    threshold_at_unit_gain: float
    mean_square_threshold: float | None
    """Where delays are drawn: the aη at which E x² stops being bounded, with η as the optimizer takes it."""
    max_stable_learning_rate: float | None
    """The threshold over the sharpness, if that is known."""
    best_step: float
    """The aη at which a displacement dies out fastest; where delays are drawn, at most half of the mean-square one."""
    decay: float
    """By which share of its size, as a logarithm, a displacement grows there at each step: below 0."""
    memory: Memory
    code: str
    """Python with `model`, and `sharpness` if that is not known: at most three lines, or four for a pipeline."""
    warning: str | None


def advise(
    delay: Any, *, optimizer: str | None = None, momentum: float | None = None, sharpness: float | None = None
) -> list[Advice]:
    """Returns every optimizer with every remedy, the largest threshold at unit gain first, those with a warning last.

    Where delays are drawn, that is the mean-square threshold.

    Args:
        delay: as of a `TrainingLoop`.
        optimizer: the name of one, if the others are not wanted.
        momentum: m or β₁ of those that have one; 0.9 if not given. sgd and rmsprop have one only if they are asked for.
        sharpness: λ of the loss, for Adam and its kin of the preconditioned one.
    """
    if sharpness is not None:
        check_positive("sharpness", sharpness)
    delays = as_delays(delay)
    if delays.maximum > LARGEST_DELAY:
        raise ValueError(f"delays must be at most {LARGEST_DELAY:,} steps for advice, not {delays.maximum:,}")
    names = BY_NAME if optimizer is None else (optimizer,)
    known: dict[Any, TrainingLoop] = {}
    rows = [
        _row(loop, name, m, sharpness, known)
        for name in names
        for m in [_momentum(name, momentum, only=optimizer is not None)]
        for loop in _loops(name, m, delays, known, only=optimizer is not None)
    ]
    return sorted(rows, key=lambda row: (row.warning is not None, -largest_at_unit_gain(row), row.decay))


def largest_at_unit_gain(row: Advice) -> float:
    """Returns the threshold at unit gain; the mean-square one where delays are drawn."""
    if row.mean_square_threshold is None or math.isinf(row.threshold):
        return row.threshold_at_unit_gain
    return row.threshold_at_unit_gain * row.mean_square_threshold / row.threshold


def _momentum(name: str, momentum: float | None, *, only: bool) -> float:
    if momentum is None or (name in WITHOUT_MOMENTUM and not only):
        return default_momentum(name)
    return momentum


def _loops(name: str, m: float, delays: Delays, known: dict[Any, TrainingLoop], *, only: bool) -> list[TrainingLoop]:
    """Returns the optimizer's loop with each remedy; none if it cannot have these delays, or a momentum of 0.

    One that was asked for says so itself.
    """
    if not only and (name == "shifted-momentum" and not delays.is_fixed or name in WITH_MOMENTUM and not m):
        return []
    remedies: list[tuple[Remedy, ...]] = [()]
    if delays.maximum:
        remedies += [(_prediction(delays),), (Compensation(COMPENSATED),)]
    return [_loop(name, m, delays, given, known) for given in remedies]


def _prediction(delays: Delays) -> Prediction:
    if delays.is_fixed or delays.drawn:
        return Prediction(round(delays.mean) or 1)
    return Prediction()


def _loop(
    name: str, m: float, delays: Delays, remedies: Iterable[Remedy], known: dict[Any, TrainingLoop]
) -> TrainingLoop:
    """Returns the loop, one and the same for optimizers whose filters are."""
    given = tuple(remedies)
    key = (SAME.get(name, name), m, given)
    if key not in known:
        known[key] = TrainingLoop(name, delays, given, momentum=m if name in BY_NAME else None)
    return known[key]


def _row(loop: TrainingLoop, name: str, m: float, sharpness: float | None, known: dict[Any, TrainingLoop]) -> Advice:
    bounded = loop.bound_at_unit_gain / loop.gain_at_rest if loop.delay.drawn else None
    best = loop.fastest_decay if bounded is None else loop.best_decay_up_to(NOISY_SHARE * bounded)
    return Advice(
        optimizer=name,
        momentum=m,
        remedy=", ".join(map(str, loop.remedies)) or "none",
        threshold=loop.threshold,
        threshold_at_unit_gain=loop.threshold_at_unit_gain,
        mean_square_threshold=bounded,
        max_stable_learning_rate=None if sharpness is None else loop.max_stable_learning_rate(sharpness),
        best_step=best.step,
        decay=best.growth,
        memory=memory(name, m, loop.delay, loop.remedies),
        code=code(name, m, loop.delay, loop.remedies, best.step, sharpness),
        warning="; ".join(_warnings(loop, name, m, known)) or None,
    )


def _warnings(loop: TrainingLoop, name: str, m: float, known: dict[Any, TrainingLoop]) -> list[str]:
    here, found = loop.bound_at_unit_gain, []
    predicted = [remedy for remedy in loop.remedies if isinstance(remedy, Prediction)]
    if predicted:
        without = _loop(name, m, loop.delay, (), known).bound_at_unit_gain
        if here < without * (1 - ROUNDING):
            found.append(f"predicting lowers the threshold from {without:.3g} to {here:.3g}{_shorter(loop, predicted)}")
    if any(isinstance(remedy, Compensation) for remedy in loop.remedies):
        found.append("supposes that half of the exact curvature is known")
    if m and name in BY_NAME:
        plain = _loop("sgd", 0.0, loop.delay, loop.remedies, known).bound_at_unit_gain
        if here < plain * (1 - ROUNDING):
            found.append(f"momentum {m:.3g} lowers the threshold from {plain:.3g} to {here:.3g}")
    return found


def _shorter(loop: TrainingLoop, predicted: Sequence[Prediction]) -> str:
    """Returns which shorter horizon has the largest threshold, if there is one, for a prediction that goes too far."""
    (prediction,) = predicted
    if prediction.horizon is None:
        return ""
    horizons = {max(1, round(share * prediction.horizon)) for share in SHORTER} - {prediction.horizon}
    bounds = {T: _with_horizon(loop, T).bound_at_unit_gain for T in sorted(horizons)}
    best = max(bounds, key=bounds.__getitem__, default=None)
    return "" if best is None else f" (predict:{best}: {bounds[best]:.3g})"


def _with_horizon(loop: TrainingLoop, horizon: float) -> TrainingLoop:
    return TrainingLoop(loop.optimizer, loop.delay, Prediction(horizon))


def e_fold_steps(advice: Advice) -> float:
    """Returns in how many steps a displacement falls to 1/e at the best step; 0 where it is gone at once."""
    return 0.0 if math.isinf(advice.decay) else -1 / advice.decay
