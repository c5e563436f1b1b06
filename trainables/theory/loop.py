"""The training loop around a minimum: optimizer, delay and remedies, and all that is known of their stability.

    loop = TrainingLoop("adamw", delay=8, remedies=["predict:8"])
    loop.threshold          the aη at which it stops being stable
    loop.growth(0.01)       how fast a displacement grows or decays at aη = 0.01

a is the curvature of the loss, at most the sharpness λ; for Adam, RMSProp and NAdam that of the preconditioned loss.
These are the mean dynamics: where the delay or the curvature varies from step to step, ask `mean_square_threshold` too.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tautune.trainables.theory.circle import Characteristic
from tautune.trainables.theory.delays import Delays, as_delays
from tautune.trainables.theory.dominant_root import dominant_root
from tautune.trainables.theory.fastest_decay import Decay, fastest_decay, is_above
from tautune.trainables.theory.gain_margin import Crossing, gain_margin
from tautune.trainables.theory.mean_square import mean_square_threshold
from tautune.trainables.theory.open_loop import OpenLoop
from tautune.trainables.theory.optimizer_names import as_optimizer
from tautune.trainables.theory.optimizers import Filter, LinearOptimizer
from tautune.trainables.theory.remedies import LateGradients, Remedy, late_gradients, parse_remedy
from tautune.trainables.theory.stability import LARGEST_DELAY, check_positive
from tautune.trainables.theory.typical import typical_threshold


@dataclass(frozen=True)
class TrainingLoop:
    """An optimizer whose gradients are late, near a minimum.

    Args:
        optimizer: a name (sgd, dampened-momentum, nesterov, nadam, adam, adamw, rmsprop, shifted-momentum,
            spike-compensation), a value of `optimizers.py`, an `OwnFilter`, or an optimizer of torch.
        delay: τ in steps, a mapping {d: probability} or a `RandomDelay` of delays that are drawn, a sequence of
            recorded delays, or `Delays.stages(…)`.
        remedies: `Prediction`, `Compensation`, or predict:T and compensate:C, at most one of each.
        momentum: m, or β₁, where `optimizer` is a name that has one; 0 for sgd and rmsprop, 0.9 for the others.

    Raises:
        ValueError: one of them is out of its bounds, they do not go together, or the optimizer is a sign method.
    """

    optimizer: Any = "sgd"
    delay: Any = 0
    remedies: Any = ()
    momentum: float | None = None

    def __post_init__(self) -> None:
        given = (self.remedies,) if isinstance(self.remedies, str | Remedy) else tuple(self.remedies or ())
        delays = as_delays(self.delay)
        object.__setattr__(self, "delay", delays)
        object.__setattr__(self, "remedies", _parsed(given))
        object.__setattr__(self, "optimizer", as_optimizer(self.optimizer, self.momentum, delays))
        object.__setattr__(self, "momentum", None)
        _ = self._late, self._filter

    @cached_property
    def _filter(self) -> Filter:
        optimizer: LinearOptimizer = self.optimizer
        return optimizer.filter(self.delay)

    @cached_property
    def _late(self) -> LateGradients:
        return late_gradients(self.delay, self.remedies)

    @cached_property
    def _open(self) -> OpenLoop:
        return OpenLoop(self._filter, self._late.mean())

    @cached_property
    def _margin(self) -> Crossing:
        return gain_margin(self._open)

    @cached_property
    def _characteristic(self) -> Characteristic:
        return Characteristic(*self._open.characteristic())

    @property
    def threshold(self) -> float:
        """The aη, with the optimizer's own η, at which the loop stops being stable; infinite if it never does."""
        return self._margin.step

    @property
    def angle(self) -> float:
        """The angle θ, in radians per step, by which the distance to the minimum turns at the threshold."""
        return self._margin.angle

    @property
    def gain_at_rest(self) -> float:
        """F(1), by which η is multiplied where gradients do not change: 1/(1-m) for torch's momentum."""
        return self._filter.gain_at_rest

    @property
    def threshold_at_unit_gain(self) -> float:
        """The threshold times the gain at rest, by which optimizers compare."""
        return self.threshold * self.gain_at_rest

    @cached_property
    def bound_at_unit_gain(self) -> float:
        """What loops are ranked by: the threshold at unit gain, or the mean-square one where delays are drawn."""
        return (self.mean_square_threshold() if self.delay.drawn else self.threshold) * self.gain_at_rest

    def max_stable_learning_rate(self, sharpness: float) -> float:
        """Returns the η below which a minimum of sharpness λ > 0 is stable."""
        check_positive("sharpness", sharpness)
        learning_rate = self.threshold / sharpness
        if math.isinf(learning_rate) and math.isfinite(self.threshold):
            raise ValueError(f"sharpness is too small for a finite learning rate: {sharpness!r}")
        return learning_rate

    def mean_square_threshold(self, noise: float = 0.0) -> float:
        """Returns the aη up to which E x² stays bounded, where the curvature of the mini-batches varies.

        It is at most the threshold, which is of E x. Delays that are drawn make it smaller, also without this noise.

        Args:
            noise: r, the variance of the curvature over the square of its mean.
        """
        return mean_square_threshold(self._open, self._late, noise, self.threshold)

    def typical_threshold(self, ages: Sequence[int] | None = None) -> float:
        """Returns the aη up to which a single training comes closer, where delays vary; else the threshold.

        It is found by following the recursion, to about half a per cent.

        Args:
            ages: the delays of a recorded run in their order; without it, they are drawn independently.
        """
        if not self.delay.drawn:
            return self.threshold
        followed = None if ages is None else np.asarray(ages)
        return typical_threshold(self._open, self._late, self.mean_square_threshold(), followed)

    def dominant_root(self, step: float) -> complex:
        """Returns the root z of largest modulus at aη = step; a displacement ends up growing by z at each step."""
        check_positive("step", step)
        return dominant_root(self._characteristic, step)

    def growth(self, step: float) -> float:
        """Returns ln|z| of the dominant root at aη = step: the rate of growth per step, below 0 where it decays."""
        modulus = abs(self.dominant_root(step))
        return math.log(modulus) if modulus else -math.inf

    @cached_property
    def fastest_decay(self) -> Decay:
        """The aη below the threshold at which a displacement dies out fastest, and its growth per step."""
        return fastest_decay(self._characteristic, self.threshold)

    def best_decay_up_to(self, bound: float) -> Decay:
        """Returns the fastest decay if its aη is at most `bound`, and else the decay at aη = bound."""
        at_bound = Decay(bound, self.growth(bound)) if bound < self.threshold else self.fastest_decay
        if math.isfinite(at_bound.growth) and is_above(bound, self._characteristic, at_bound.growth, self.threshold):
            return at_bound
        return at_bound if self.fastest_decay.step > bound else self.fastest_decay

    @property
    def best_step(self) -> float:
        """The aη of fastest decay."""
        return self.fastest_decay.step

    def delay_margin(self, step: float) -> int | None:
        """Returns the largest fixed delay τ up to which the loop is stable at aη = step; None if not even τ = 0 is.

        What follows the delay goes along: shifted momentum, and the horizons that were not set.

        Raises:
            ValueError: the loop's delay is not fixed (ask `stretch_margin`), or no delay up to 1e15 is unstable.
        """
        check_positive("step", step)
        if not self.delay.is_fixed:
            raise ValueError("delay_margin is for a fixed delay; stretch_margin is for delays that vary")

        def stable(τ: int) -> bool:
            return step < replace(self, delay=τ).threshold

        if not stable(0):
            return None
        low, high = 0, 1
        while stable(high):
            if high == LARGEST_DELAY:
                raise ValueError(f"step {step!r} is stable at every delay up to 1e15")
            low, high = high, min(2 * high, LARGEST_DELAY)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if stable(middle) else (low, middle)
        return low

    def stretch_margin(self, step: float) -> float:
        """Returns by which factor all delays may be multiplied before aη = step stops being stable; 0 if none.

        The optimizer and the remedies stay as they are. It is infinite if a million times the delays are stable.
        """
        check_positive("step", step)

        def stable(factor: float) -> bool:
            return step < gain_margin(OpenLoop(self._filter, self._late.mean(factor))).step

        if not stable(0.0):
            return 0.0
        low, high = 0.0, 1.0
        while stable(high):
            if high >= LONGEST_STRETCH:
                return math.inf
            low, high = high, 2 * high
        while high - low > STRETCH_PRECISION * high:
            middle = (low + high) / 2
            low, high = (middle, high) if stable(middle) else (low, middle)
        return low


LONGEST_STRETCH = 2**20
STRETCH_PRECISION = 1e-9


def _parsed(remedies: Iterable[Any]) -> tuple[Remedy, ...]:
    parsed = tuple(parse_remedy(remedy) if isinstance(remedy, str) else remedy for remedy in remedies)
    for remedy in parsed:
        if not isinstance(remedy, Remedy):
            raise ValueError(
                f"a remedy must be a Prediction, a Compensation or a word such as predict:8, not {remedy!r}"
            )
    return parsed


__all__ = ["Delays", "TrainingLoop"]
