"""Draws conclusions from trainings that were followed: do they settle on their delay's edge of stability?

All classes here are plain records; `analysis/edge_figure.py` draws them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING, Any, TypedDict

from tautune.analysis.reported import HasReport

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from tautune.records.storage import Folder
    from tautune.trainables.edge.following import Sample

Json = dict[str, Any]


class EdgesJson(TypedDict):
    """What edge.json holds beside its points."""

    study: str
    optimizer: str
    decay: float | None
    steps: int
    sharpness: float


LATE = 0.75
"""Share of the steps after which a training is late: the median of its ratio over the rest is what it settles at."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What was seen of one training, look by look."""

    delay: int
    learning_rate: float
    seed: int
    steps: tuple[int, ...]
    ratios: tuple[float, ...]
    """η λ over the threshold at each look: stable below 1."""
    sharpness: tuple[float, ...]
    """λ at each look, preconditioned for optimizers that divide."""
    losses: tuple[float, ...]
    diverged: int | None
    """The step at which it diverged; None if it did not."""

    def has_ended(self, steps: int) -> bool:
        """Returns whether it has diverged, or made all its steps but for a rest that is too short for a look."""
        if self.diverged is not None:
            return True
        looks = (0, *self.steps)
        return looks[-1] + (looks[-1] - looks[-2]) > steps if self.steps else False


@dataclass(frozen=True, kw_only=True)
class EdgePoint:
    """All trainings at one delay and learning rate."""

    delay: int
    optimizer: str
    learning_rate: float
    ratio: float | None
    """The median of η λ over the threshold in the last quarter of the steps, over all seeds; None if all diverged."""
    lowest: float | None
    """The smallest of the seeds' own medians."""
    highest: float | None
    drift: float | None
    """How much the ratio changes in the last quarter: its later half's median over its earlier half's, minus 1."""
    seeds: int
    diverged: int
    """How many of them diverged."""
    unfinished: int
    """How many of them have not come to their end: the ratio is that of what was seen until now."""


@dataclass(frozen=True, kw_only=True)
class Edges(HasReport):
    """The conclusions."""

    study: str
    optimizer: str
    decay: float | None
    """β₂ of an optimizer that divides by an average of squares."""
    steps: int
    sharpness: float
    """λ of the loss at the initial weights of the study's own seed."""
    points: tuple[EdgePoint, ...]
    """In ascending order of delay and learning rate."""
    curves: tuple[Curve, ...]
    path: "Folder | None" = None
    """The folder that holds the results, if there is one."""

    @property
    def preconditioned(self) -> bool:
        """Returns whether λ is that of the preconditioned loss."""
        return self.decay is not None

    @property
    def trials(self) -> "pd.DataFrame":
        """Returns a row for each look at each training, as in curves.csv. Raises ValueError if `path` is None."""
        import pandas as pd

        if self.path is None:
            raise ValueError("trials are read from a folder, but these conclusions have none")
        with (self.path / "curves.csv").open() as file:
            return pd.read_csv(file)

    def to_frame(self) -> "pd.DataFrame":
        """Returns a row for each delay and learning rate."""
        import pandas as pd

        return pd.DataFrame([asdict(point) for point in self.points])

    def plot(self) -> "Figure":
        """Returns the curves of η λ over the threshold, and where they settle."""
        from tautune.analysis.edge_figure import edge_figure

        return edge_figure(self)

    def as_json(self) -> Json:
        """Returns the content of edge.json."""
        own = ("study", "optimizer", "decay", "steps", "sharpness")
        return {name: getattr(self, name) for name in own} | {"points": [asdict(point) for point in self.points]}

    def at(self, path: "Folder") -> "Edges":
        """Returns the same conclusions with the folder that holds them."""
        return replace(self, path=path)


def conclude(
    samples: "Iterable[Sample]",
    *,
    study: str,
    optimizer: str,
    decay: float | None,
    steps: int,
    sharpness: float,
) -> Edges:
    """Returns the conclusions from what was seen."""
    ordered = sorted(samples, key=lambda sample: (*sample.run, sample.step))
    curves = [_curve(list(own)) for _, own in groupby(ordered, key=lambda sample: sample.run)]
    points = [
        _point(list(own), optimizer, steps)
        for _, own in groupby(curves, key=lambda curve: (curve.delay, curve.learning_rate))
    ]
    return Edges(
        study=study,
        optimizer=optimizer,
        decay=decay,
        steps=steps,
        sharpness=sharpness,
        points=tuple(points),
        curves=tuple(curves),
    )


def _curve(samples: "Sequence[Sample]") -> Curve:
    first = samples[0]
    seen = [s for s in samples if s.edge_ratio is not None and s.sharpness is not None]
    return Curve(
        delay=first.delay,
        learning_rate=first.learning_rate,
        seed=first.seed,
        steps=tuple(s.step for s in seen),
        ratios=tuple(s.edge_ratio or 0.0 for s in seen),
        sharpness=tuple(s.sharpness or 0.0 for s in seen),
        losses=tuple(s.loss for s in seen),
        diverged=next((s.step for s in samples if s.diverged), None),
    )


def _point(curves: Sequence[Curve], optimizer: str, steps: int) -> EdgePoint:
    late = [own for curve in curves if curve.diverged is None and (own := _ratios(curve, LATE * steps, steps))]
    medians = [median(own) for own in late]
    middle = (1 + LATE) / 2 * steps
    halves = [
        [ratio for curve in curves if curve.diverged is None for ratio in _ratios(curve, *ends)]
        for ends in ((LATE * steps, middle), (middle, steps))
    ]
    return EdgePoint(
        delay=curves[0].delay,
        optimizer=optimizer,
        learning_rate=curves[0].learning_rate,
        ratio=median([ratio for own in late for ratio in own]) if late else None,
        lowest=min(medians, default=None),
        highest=max(medians, default=None),
        drift=median(halves[1]) / median(halves[0]) - 1 if all(halves) else None,
        seeds=len(curves),
        diverged=sum(curve.diverged is not None for curve in curves),
        unfinished=sum(not curve.has_ended(steps) for curve in curves),
    )


def _ratios(curve: Curve, after: float, until: float) -> list[float]:
    return [ratio for step, ratio in zip(curve.steps, curve.ratios, strict=True) if after < step <= until]
