"""What is known of a training where it stands: which learning rate and which delay it can take.

All classes here are plain records; `analysis/probe_conclusion.py` makes them, `analysis/probe_figure.py` draws them.
"""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypedDict, cast

from tautune.analysis.reported import HasReport
from tautune.records.errors import InputError
from tautune.records.files import read_json
from tautune.records.typed import Count, NotNegative, Positive
from tautune.trainables.theory.advice import Advice, advise
from tautune.trainables.theory.delays import Delays
from tautune.trainables.theory.kept_loop import loop_as_json, loop_from_json
from tautune.trainables.theory.loop import TrainingLoop
from tautune.trainables.theory.optimizer_names import PRECONDITIONED

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from tautune.records.storage import Folder

Json = dict[str, Any]
LONGEST_DELAY = 1000
"""Longest delay in steps that is asked about: with noise, each one takes a second there."""


class _RowJson(TypedDict):
    delay: Count | str
    threshold: Positive
    max_stable_learning_rate: Positive
    mean_square_learning_rate: Positive | None
    margin: Positive | None
    safe: bool | None
    growth: float | None


class _DelaysJson(TypedDict):
    steps: list[Count]
    shares: list[Positive]
    drawn: bool
    of_stages: list[Count]


class _LoopJson(TypedDict):
    optimizer: Json
    delays: _DelaysJson
    remedies: list[Json]


class ProbeJson(TypedDict):
    """What probe.json must hold to be read again."""

    study: str
    optimizer: str
    delay: Count | str
    learning_rate: Positive | None
    sharpness: Positive
    preconditioned: bool
    noise: NotNegative | None
    batch_curvatures: list[float]
    loss: float
    examples: Count
    products: Count
    residual: NotNegative
    rows: list[_RowJson]
    asked: Count
    margin: Positive | None
    largest_delay: Count | None
    loop: _LoopJson


def smaller(stable: float, bounded: float | None) -> float:
    """Returns below which of two learning rates one is safe: E x is stable, and E x² is bounded if there is noise."""
    return stable if bounded is None else min(stable, bounded)


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

    @property
    def limit(self) -> float:
        """Returns the smaller of the two learning rates, below which one is safe."""
        return smaller(self.max_stable_learning_rate, self.mean_square_learning_rate)


@dataclass(frozen=True, kw_only=True)
class Probe(HasReport):
    """How far a training is from instability where it stands."""

    study: str
    """The study's name; where there is none, that of the model's class."""
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
    batch_curvatures: tuple[float, ...]
    """The curvature of each batch along the sharpest direction, in their order; their mean is λ."""
    loss: float
    examples: int
    products: int
    """Hessian-vector products over all batches."""
    residual: float
    """Of the eigenvector, relative to λ: a bound on λ's relative error."""
    rows: tuple[ProbeRow, ...]
    """One for each delay, those that were asked about first."""
    asked: int
    """How many of the rows were asked about; the others are of the usual delays."""
    margin: float | None
    """By which factor the learning rate may grow: the smallest one at the delays that were asked for, or at the
    optimizer's own where none were. None without a learning rate."""
    largest_delay: int | None
    """The largest fixed delay that is safe at this learning rate, 1000 standing for all above; None if not even 0 is,
    or without a learning rate."""
    loop: TrainingLoop
    """The loop at `delay`, of which theory knows more."""
    path: "Folder | None" = None
    """The folder that holds the results, if there is one."""

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

    @property
    def remedy_gain(self) -> float | None:
        """Returns by which factor the best remedy raises the threshold at unit gain; None without one."""
        best = self.best_remedy
        return best.threshold_at_unit_gain / self.loop.threshold_at_unit_gain if best else None

    @property
    def trials(self) -> "pd.DataFrame":
        """Returns what `to_frame` does: a probe has a row for each delay, and no other trials."""
        return self.to_frame()

    def to_frame(self) -> "pd.DataFrame":
        """Returns a row for each delay, with the fields of `ProbeRow` as columns."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows])

    def plot(self) -> "Figure":
        """Returns the largest stable learning rate against the delay, with the one that the training has."""
        from tautune.analysis.probe_figure import probe_figure

        return probe_figure(self)

    def as_json(self) -> Json:
        """Returns everything as plain values, the content of probe.json."""
        left_out = ("rows", "loop", "best_remedy", "path")
        own = {name: value for name, value in vars(self).items() if name not in left_out}
        remedy = self.best_remedy
        return own | {
            "safe": self.safe,
            "rows": [asdict(row) for row in self.rows],
            "best_remedy": remedy
            and {
                "optimizer": remedy.optimizer,
                "remedy": remedy.remedy,
                "gain": self.remedy_gain,
                "code": remedy.code,
            },
            "loop": loop_as_json(self.loop),
        }

    @classmethod
    def from_json(cls, values: Json, path: "Folder | None" = None) -> Self:
        """Returns the probe that `as_json` wrote. Raises ValueError if its loop is none."""
        own = {name: values[name] for name in ProbeJson.__annotations__}
        rows = tuple(ProbeRow(**{name: row[name] for name in _RowJson.__annotations__}) for row in values["rows"])
        curvatures, loop = tuple(values["batch_curvatures"]), loop_from_json(values["loop"])
        return cls(**own | {"rows": rows, "batch_curvatures": curvatures, "loop": loop, "path": path})

    def at(self, path: "Folder") -> Self:
        """Returns the same conclusions with the folder that holds them."""
        return replace(self, path=path)


def read_probe(folder: "Folder") -> Probe:
    """Returns the probe in a folder. Raises InputError if probe.json is missing or damaged."""
    file, remedy = folder / "probe.json", "the same `tautune probe` writes it again"
    try:
        return Probe.from_json(cast("Json", read_json(file, ProbeJson, remedy=remedy)), folder)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{file} is damaged: {error}; {remedy}") from None
