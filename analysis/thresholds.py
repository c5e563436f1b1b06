"""The thresholds of a sweep: the measured and theory's value at every delay, and the line through them.

All classes here are plain records; `sweep_conclusion.py` makes them, `threshold_figure.py` draws them.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import numpy as np

from tautune.analysis.reported import HasReport
from tautune.records.typed import Count, NotNegative, Object, Positive
from tautune.trainables.theory.momentum import Momentum
from tautune.trainables.threshold.record import MeasurementRecord
from tautune.trainables.threshold.update import Update

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from tautune.records.storage import Folder

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Point:
    """The largest stable learning rate at one delay, predicted and measured."""

    delay: Count
    """τ, in optimizer steps."""
    predicted: Positive
    """Theory's learning rate, threshold/λ."""
    measured: Positive
    uncertainty: NotNegative
    """± in learning rate: half the bracket's width and, with mini-batches, also the standard error over seeds."""
    gradient_evaluations: Count
    """Cost of the measurement, in passes over the data set."""
    seeds: Count
    mean_square: Positive | None = None
    """Theory's learning rate below which the squared distance is bounded on average; where steps differ by chance."""
    typical: Positive | None = None
    """Theory's learning rate up to which a single training comes closer, where delays vary: for workers with their ages
    as they came, else for independent draws."""

    @property
    def relative_error(self) -> float:
        """Returns measured / predicted - 1."""
        return self.measured / self.predicted - 1

    def as_json(self) -> Json:
        """Returns the point as it stands in thresholds.json."""
        return {
            "delay": self.delay,
            "predicted": self.predicted,
            "measured": self.measured,
            "uncertainty": self.uncertainty,
            "relative_error": self.relative_error,
            "gradient_evaluations": self.gradient_evaluations,
            "seeds": self.seeds,
            **({} if self.mean_square is None else {"mean_square": self.mean_square}),
            **({} if self.typical is None else {"typical": self.typical}),
        }


@dataclass(frozen=True, kw_only=True)
class Escape:
    """How long training took to leave the minimum at one delay and learning rate."""

    delay: int
    seed: int
    learning_rate: float
    epochs: float
    left: bool
    """Whether training left; if False, it was still at the minimum after its budget of `epochs`."""


class ThresholdsJson(TypedDict):
    """What thresholds.json holds."""

    study: str
    sharpness: Positive
    momentum: float
    shifted: bool
    mini_batch: int | None
    update: NotRequired[Object]
    points: list[Point]
    escapes: list[Escape]


@dataclass(frozen=True, kw_only=True)
class Thresholds(HasReport):
    """The largest stable learning rate at every delay: the result of a sweep or of `tautune.measure_thresholds`."""

    study: str
    sharpness: float
    """λ, the largest eigenvalue of the loss Hessian at the minimum."""
    momentum: Momentum
    mini_batch: int | None
    """Examples per step; None means the full batch."""
    points: tuple[Point, ...]
    """One point for each delay whose threshold was found, in ascending order."""
    escapes: tuple[Escape, ...]
    update: Update | None = None
    """How gradients became steps, where it was not the paper's SGD with `momentum`."""
    path: "Folder | None" = None
    """The folder that holds the results, if there is one."""

    @property
    def best(self) -> Point | None:
        """Returns the point with the largest threshold, which is that of the smallest delay; None if there is none.

        The learning rate to stay below is that of your own delay: see `at_delay`.
        """
        return max(self.points, key=lambda point: point.measured, default=None)

    @property
    def delay_is_fixed(self) -> bool:
        """Returns whether points differ by a delay; delays that are drawn, stages and workers have one point in all."""
        return self.update is None or self.update.longest is None

    def called(self, delay: int) -> str:
        """Returns what a delay of the points is called: where delays vary, by them, of which it is but the longest."""
        update = self.update
        if update is None or update.longest is None:
            return str(delay)
        if update.workers:
            return f"of {update.workers}"
        return ", ".join(map(str, update.stages)) if update.stages else str(update.delays(delay))

    def at_delay(self, delay: int) -> Point:
        """Returns the point of one delay, whose `measured` is the learning rate to stay below.

        Raises:
            ValueError: no threshold was found at this delay.
        """
        found = next((point for point in self.points if point.delay == delay), None)
        if found is None:
            known = ", ".join(str(point.delay) for point in self.points) or "none"
            raise ValueError(f"delay must be one whose threshold was found ({known}), not {delay!r}")
        return found

    @property
    def trials(self) -> "pd.DataFrame":
        """Returns a row for each measured delay and seed, from the files in `path`.

        The columns are delay, seed, learning_rate, uncertainty, gradient_evaluations, learning_rates_tried, done, host.

        Raises:
            ValueError: the measurements were not kept in a folder.
        """
        import pandas as pd

        from tautune.records.sweep_folder import read_records

        if self.path is None:
            raise ValueError("trials are read from a sweep's folder, but these thresholds have none; use to_frame()")
        return pd.DataFrame([_trial(record) for record in read_records(self.path)])

    def to_frame(self) -> "pd.DataFrame":
        """Returns a row for each point.

        The columns are delay, predicted, measured, uncertainty, relative_error and gradient_evaluations.
        """
        import pandas as pd

        columns = ("delay", "predicted", "measured", "uncertainty", "relative_error", "gradient_evaluations")
        return pd.DataFrame([[getattr(point, name) for name in columns] for point in self.points], columns=columns)

    def plot(self) -> "Figure":
        """Returns a figure of 1/η at the threshold over 2τ+1, with theory's line."""
        from tautune.analysis.threshold_figure import thresholds_figure

        return thresholds_figure(self)

    def fit(self) -> Json | None:
        """Returns the line 1/η = slope (2τ+1) + intercept through the measurements, and the λ that they imply.

        `sharpness` is the least-squares λ in 1/η = λ / threshold(τ), theory's exact form, over all delays. With fewer
        than two delays there is no fit, and the result is None.
        """
        if len(self.points) < 2:
            return None
        x = np.array([2 * p.delay + 1 for p in self.points])
        y = np.array([1 / p.measured for p in self.points])
        slope, intercept = np.polyfit(x, y, 1)
        exact = np.array([1 / (p.predicted * self.sharpness) for p in self.points])
        λ = float(exact @ y / (exact @ exact))
        residual = y - (slope * x + intercept)
        spread = ((y - y.mean()) ** 2).sum()
        return {
            "form": "1/learning_rate = slope * (2 * delay + 1) + intercept",
            "slope": float(slope),
            "intercept": float(intercept),
            "r_squared": float(1 - residual @ residual / spread),
            "sharpness": λ,
            "sharpness_relative_error": λ / self.sharpness - 1,
        }

    def as_json(self) -> Json:
        """Returns the content of thresholds.json."""
        return {
            "study": self.study,
            "sharpness": self.sharpness,
            "momentum": self.momentum.value,
            "shifted": self.momentum.shifted,
            "mini_batch": self.mini_batch,
            **({"update": self.update.as_json()} if self.update else {}),
            "points": [point.as_json() for point in self.points],
            "fit": self.fit(),
            "escapes": [vars(escape) for escape in self.escapes],
        }

    @classmethod
    def from_json(cls, content: Json, path: "Folder | None" = None) -> "Thresholds":
        """Returns the thresholds from the output of `as_json`. Raises KeyError or TypeError if a part is missing."""
        points = [{k: v for k, v in point.items() if k != "relative_error"} for point in content["points"]]
        return cls(
            study=content["study"],
            sharpness=content["sharpness"],
            momentum=Momentum(content["momentum"], content["shifted"]),
            mini_batch=content["mini_batch"],
            points=tuple(Point(**point) for point in points),
            escapes=tuple(Escape(**escape) for escape in content["escapes"]),
            update=Update.from_json(content["update"]) if "update" in content else None,
            path=path,
        )

    def at(self, path: "Folder") -> "Thresholds":
        """Returns the same conclusions with the folder that holds them."""
        return replace(self, path=path)


def _trial(record: MeasurementRecord) -> Json:
    return {
        "delay": record.settings.delay,
        "seed": record.settings.seed,
        "learning_rate": record.threshold.learning_rate if record.threshold else None,
        "uncertainty": record.threshold.uncertainty if record.threshold else None,
        "gradient_evaluations": record.gradient_evaluations,
        "learning_rates_tried": len(record.samples),
        "done": record.done,
        "host": record.host,
    }
