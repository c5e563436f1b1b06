"""Draws conclusions from the curvature where training stands: which learning rate and which delay it can take."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tautune.trainables.curvature.probing import Curvature
from tautune.trainables.theory.advice import Advice, advise
from tautune.trainables.theory.delays import Delays
from tautune.trainables.theory.loop import TrainingLoop
from tautune.trainables.theory.optimizer_names import PRECONDITIONED

if TYPE_CHECKING:
    import pandas as pd

Json = dict[str, Any]
LONGEST_DELAY = 1000
"""Longest delay in steps that is asked about: with noise, each one takes a second there."""
USUAL_DELAYS = (0, 1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, kw_only=True)
class ProbeRow:
    """What theory says at one delay. Each learning rate is that of the first parameter group."""

    delay: int | str
    """τ in steps, or a description of delays that vary."""
    threshold: float
    """The η λ at which E x stops being stable."""
    max_stable_learning_rate: float
    """The threshold over λ."""
    mean_square_learning_rate: float | None
    """The η at which E x² stops being bounded, with the noise between the batches; None without any noise."""
    margin: float | None
    """By which factor the learning rate may grow before the smaller of the two is reached; None without one."""
    safe: bool | None
    """Whether the margin is above 1."""
    growth: float | None
    """Growth per step, in e-folds, of a displacement along the sharpest direction: below 0 it dies out."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """How far a training is from instability where it stands."""

    optimizer: str
    """Name of the optimizer's class."""
    delay: int | str
    """The delay of the optimizer's own gradients, in steps, or of those that were given in its place."""
    learning_rate: float | None
    """η of the first parameter group."""
    sharpness: float
    """λ: of the preconditioned loss where `preconditioned`."""
    preconditioned: bool
    noise: float | None
    """r, the variance of the curvature between batches over its mean's square; None of a single batch."""
    loss: float
    examples: int
    products: int
    """Hessian-vector products over all batches."""
    residual: float
    """Of the eigenvector, relative to λ: a bound on λ's relative error."""
    rows: tuple[ProbeRow, ...]
    """One for each delay."""
    margin: float | None
    """By which factor the learning rate may grow: the smallest one at the delays that were asked for, or at the
    optimizer's own where none were. None without a learning rate."""
    largest_delay: int | None
    """The largest fixed delay that is safe at this learning rate, 1000 standing for all above; None if not even 0 is,
    or without a learning rate."""
    loop: TrainingLoop
    """The loop at `delay`, of which theory knows more."""

    @property
    def safe(self) -> bool | None:
        """Returns whether the learning rate is safe: the margin is above 1."""
        return None if self.margin is None else self.margin > 1

    @cached_property
    def best_remedy(self) -> Advice | None:
        """Returns what raises the threshold most at this delay, for optimizers of this kind; None if nothing does."""
        delays: Delays = self.loop.delay
        if not delays.maximum or delays.maximum > LONGEST_DELAY:
            return None
        own = self.loop.optimizer
        m = getattr(own, "momentum", getattr(own, "beta1", 0.0)) or None
        rows = advise(delays, momentum=m, sharpness=self.sharpness)
        own_name = self.optimizer.lower()  # NAdam's momentum rises by itself: it is no remedy for a young NAdam
        fitting = [
            row
            for row in rows
            if (row.optimizer in PRECONDITIONED) == self.preconditioned
            and not row.warning
            and (row.remedy != "none" or row.optimizer != own_name)
        ]
        best = max(fitting, key=lambda row: row.threshold_at_unit_gain, default=None)
        return best if best and best.threshold_at_unit_gain > 1.001 * self.loop.threshold_at_unit_gain else None

    def to_frame(self) -> "pd.DataFrame":
        """Returns a row for each delay, with the fields of `ProbeRow` as columns."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows])

    def as_json(self) -> Json:
        """Returns everything as plain values."""
        own = {name: value for name, value in vars(self).items() if name not in ("rows", "loop", "best_remedy")}
        remedy = self.best_remedy
        return own | {
            "safe": self.safe,
            "rows": [asdict(row) for row in self.rows],
            "best_remedy": remedy and {"optimizer": remedy.optimizer, "remedy": remedy.remedy, "code": remedy.code},
        }


def concluded(found: Curvature, *, delays: Sequence[Delays] | None, stages: Sequence[int]) -> Probe:
    """Returns the conclusions.

    Args:
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
        optimizer="SGD" if late is None else type(late.optimizer).__name__,
        delay=rows[worst].delay,
        learning_rate=found.learning_rate,
        sharpness=found.sharpness,
        preconditioned=found.preconditioned,
        noise=found.noise,
        loss=found.loss,
        examples=found.examples,
        products=found.products,
        residual=found.residual,
        rows=rows,
        margin=min(margins, default=None),
        largest_delay=_largest_delay(loops[worst], found),
        loop=loops[worst],
    )


def _row(loop: TrainingLoop, found: Curvature) -> ProbeRow:
    λ, η = found.sharpness, found.learning_rate
    noisy = bool(found.noise) or loop.delay.drawn
    bounded = loop.mean_square_threshold(found.noise or 0.0) / λ if noisy else None
    largest = loop.max_stable_learning_rate(λ)
    margin = None if η is None else min(largest, largest if bounded is None else bounded) / η
    return ProbeRow(
        delay=loop.delay.maximum if loop.delay.is_fixed else str(loop.delay),
        threshold=loop.threshold,
        max_stable_learning_rate=largest,
        mean_square_learning_rate=bounded,
        margin=margin,
        safe=None if margin is None else margin > 1,
        growth=None if η is None else loop.growth(η * λ),
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
