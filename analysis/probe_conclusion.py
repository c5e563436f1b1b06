"""Draws conclusions from the curvature where training stands: which learning rate and which delay it can take."""

import math
import sys
from collections.abc import Sequence
from dataclasses import replace

from tautune.analysis.probe import LONGEST_DELAY, Probe, ProbeRow, smaller
from tautune.trainables.curvature.probing import Curvature
from tautune.trainables.theory.delays import Delays
from tautune.trainables.theory.loop import TrainingLoop

USUAL_DELAYS = (0, 1, 2, 4, 8, 16, 32)
AT_ONCE = math.log(sys.float_info.min)
"""Growth per step, in e-folds, that stands for the end of a displacement in one step, since files hold no infinity."""


def concluded(found: Curvature, *, study: str, delays: Sequence[Delays] | None, stages: Sequence[int]) -> Probe:
    """Returns the conclusions.

    Args:
        study: name of what was probed.
        delays: those that are asked about; with None the optimizer's own count, and the usual ones are beside them.
        stages: the delays of a pipeline's stages, in place of `delays`.

    Raises:
        ValueError: theory does not know the optimizer, or it does not go with the delays.
    """
    late = found.late
    own = late.of_groups(found.group_shares) if late else Delays.fixed(0)
    if stages:
        delays = [Delays.stages(stages, found.stage_shares)]
    asked = [own] if delays is None else list(delays)
    shown = asked if delays is not None else asked + [Delays.fixed(d) for d in USUAL_DELAYS if Delays.fixed(d) != own]
    loops = [TrainingLoop(found.filter, one, late.remedies if late else ()) for one in shown]
    rows = tuple(_row(loop, found) for loop in loops)
    margins = [row.margin for row in rows[: len(asked)] if row.margin is not None]
    worst = min(range(len(asked)), key=lambda i: rows[i].margin or rows[i].threshold)
    return Probe(
        study=study,
        optimizer="SGD" if late is None else type(late.optimizer).__name__,
        delay=rows[worst].delay,
        learning_rate=found.learning_rate,
        sharpness=found.sharpness,
        preconditioned=found.preconditioned,
        noise=found.noise,
        batch_curvatures=found.batch_curvatures,
        loss=found.loss,
        examples=found.examples,
        products=found.products,
        residual=found.residual,
        rows=rows,
        asked=len(asked),
        margin=min(margins, default=None),
        largest_delay=_largest_delay(loops[worst], found),
        loop=loops[worst],
    )


def _row(loop: TrainingLoop, found: Curvature) -> ProbeRow:
    λ, η = found.sharpness, found.learning_rate
    noisy = bool(found.noise) or loop.delay.drawn
    bounded = loop.mean_square_threshold(found.noise or 0.0) / λ if noisy else None
    largest = loop.max_stable_learning_rate(λ)
    margin = None if η is None else smaller(largest, bounded) / η
    return ProbeRow(
        delay=loop.delay.maximum if loop.delay.is_fixed else str(loop.delay),
        threshold=loop.threshold,
        max_stable_learning_rate=largest,
        mean_square_learning_rate=bounded,
        margin=margin,
        safe=None if margin is None else margin > 1,
        growth=None if η is None else max(loop.growth(η * λ), AT_ONCE),
    )


def _largest_delay(loop: TrainingLoop, found: Curvature) -> int | None:
    """Returns the largest delay whose margin is above 1, by halving."""
    η, λ, r = found.learning_rate, found.sharpness, found.noise

    def safe(τ: int) -> bool:
        late = replace(loop, delay=τ)
        return η is not None and η * λ < (late.mean_square_threshold(r) if r else late.threshold)

    if not safe(0):
        return None
    low, high = 0, 1
    while safe(high):
        if high == LONGEST_DELAY:
            return high
        low, high = high, min(2 * high, LONGEST_DELAY)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if safe(middle) else (low, middle)
    return low
