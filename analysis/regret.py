"""Concludes from simulated tunings how far from the best of the table each method still was, over time.

All classes here are plain records; `analysis/regret_figure.py` draws them.
"""

import math
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from tautune.analysis.method_names import in_words
from tautune.analysis.reported import HasReport
from tautune.records.typed import Count, Meta, NotNegative, Positive

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from tautune.records.storage import Folder
    from tautune.trainables.goal import Mode

Json = dict[str, Any]
QUARTILES = (0.25, 0.5, 0.75)
FIELDS = ("table", "metric", "mode", "unit", "best_value", "worst_value", "until", "workers", "note")
"""What simulate.json has of a simulation beside its runs."""
TIE = 1e-12
"""Difference of two regrets that may be rounding, in the unit of the metric."""
POINTS = 200
"""Times, equally far from one another, at which regret is computed."""


class _RunJson(TypedDict):
    method: dict[Literal["search", "scheduler"], str]
    seed: Count
    trials: Count
    times: list[NotNegative]
    values: list[float]


class RegretJson(TypedDict):
    """What simulate.json must hold to be read again."""

    table: str
    metric: str
    mode: Literal["max", "min"]
    unit: str
    best_value: float
    worst_value: float
    until: Positive
    workers: Count
    note: str
    runs: Annotated[list[_RunJson], Meta(min_length=1)]


class Method(NamedTuple):
    """A search with a scheduler."""

    search: str
    scheduler: str

    @property
    def words(self) -> str:
        """Returns its name in a sentence or a figure: HyperOpt + ASHA."""
        return " + ".join(in_words(name) for name in self if name != "none")

    def __str__(self) -> str:
        return self.search if self.scheduler == "none" else f"{self.search} + {self.scheduler}"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One simulated tuning."""

    method: Method
    seed: int
    trials: int
    """Number of trials that began to train, until the time was over or the best of the table was reported."""
    times: tuple[float, ...]
    """When a value was reported that is better than all before, in ascending order."""
    values: tuple[float, ...]
    """That value of the metric, for each of `times`."""

    def best_at(self, times: NDArray[np.float64], before: float) -> NDArray[np.float64]:
        """Returns the best value reported until each time, and `before` where none was."""
        found: NDArray[np.float64] = np.array([before, *self.values])[np.searchsorted(self.times, times, side="right")]
        return found


@dataclass(frozen=True, kw_only=True)
class Regret(HasReport):
    """How far each method was from the best value of the table: |best value so far − best of the table|.

    Before its first report, a run has the regret of the table's worst value.
    """

    table: str
    metric: str
    mode: "Mode"
    unit: str
    """What time is counted in."""
    best_value: float
    """Best value of the metric in the table."""
    worst_value: float
    until: float
    """Time at which every run ended."""
    workers: int
    runs: tuple[Run, ...]
    note: str = ""
    """What a reader has to know of the table."""
    path: "Folder | None" = None
    """The folder that holds the results, if there is one."""

    @property
    def methods(self) -> list[Method]:
        """Returns the methods, in the order in which they were asked for."""
        return list(dict.fromkeys(run.method for run in self.runs))

    @cached_property
    def times(self) -> NDArray[np.float64]:
        """Returns the times at which regret is computed, from 0 to the end."""
        return np.linspace(0, self.until, POINTS + 1)

    def of(self, method: Method, times: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Returns the quartiles of a method's regret over its runs [3, times]."""
        times = self.times if times is None else times
        found = np.array([run.best_at(times, self.worst_value) for run in self.runs if run.method == method])
        quartiles: NDArray[np.float64] = np.quantile(np.abs(found - self.best_value), QUARTILES, axis=0)
        return quartiles

    def rows(self) -> list[Json]:
        """Returns a row for each method: the quartiles of its regret at the end, and its trials."""
        rows = []
        for method in self.methods:
            lower, median, upper = self.of(method, np.array([self.until]))[:, 0].tolist()
            own = [run for run in self.runs if run.method == method]
            halfway = float(self.of(method, np.array([self.until / 2]))[1, 0])
            row = method._asdict() | {"median_regret": median, "lower_quartile": lower, "upper_quartile": upper}
            trials = float(np.mean([run.trials for run in own]))
            rows.append(row | {"median_regret_halfway": halfway, "trials": trials, "repeats": len(own)})
        return rows

    @property
    def best(self) -> Json:
        """Returns the row of the method whose median regret is the smallest at the end, or else halfway."""
        return min(self.rows(), key=lambda row: (row["median_regret"], row["median_regret_halfway"]))

    @property
    def nearest(self) -> list[Method]:
        """Returns the methods whose median regret at the end is that of `best`, which is the first of them."""
        rows = sorted(self.rows(), key=lambda row: (row["median_regret"], row["median_regret_halfway"]))
        ends = [row for row in rows if math.isclose(row["median_regret"], rows[0]["median_regret"], abs_tol=TIE)]
        return [Method(row["search"], row["scheduler"]) for row in ends]

    def undecided(self) -> list[Method]:
        """Returns the methods that these runs do not tell apart from `best`, at the end.

        Runs of the same seed are compared. A method is told apart if the 95 % interval of the mean difference, a
        bootstrap over the seeds, leaves out 0.
        """
        best = Method(self.best["search"], self.best["scheduler"])
        return [method for method in self.methods if method != best and not self._tells_apart(best, method)]

    def _tells_apart(self, one: Method, other: Method) -> bool:
        from scipy.stats import bootstrap

        end = np.array([self.until])
        reached = {
            method: {run.seed: run.best_at(end, self.worst_value)[0] for run in self.runs if run.method == method}
            for method in (one, other)
        }
        shared = sorted(reached[one].keys() & reached[other].keys())
        apart = np.array([reached[one][seed] - reached[other][seed] for seed in shared])
        if len(apart) < 2 or not apart.any():
            return False
        if not np.ptp(apart):
            return True
        found = bootstrap((apart,), np.mean, method="percentile", rng=np.random.default_rng(0)).confidence_interval
        return bool(found.low > 0 or found.high < 0)

    @property
    def trials(self) -> "pd.DataFrame":
        """Returns a row for each report of each run that was better than all before it."""
        import pandas as pd

        columns = ("search", "scheduler", "seed", "time", "value")
        reports = [
            (*run.method, run.seed, *pair) for run in self.runs for pair in zip(run.times, run.values, strict=True)
        ]
        return pd.DataFrame(reports, columns=columns)

    def to_frame(self) -> "pd.DataFrame":
        """Returns a row for each method and time: the quartiles of its regret."""
        import pandas as pd

        frames = []
        for method in self.methods:
            quartiles = dict(zip(("lower_quartile", "median", "upper_quartile"), self.of(method), strict=True))
            frames.append(pd.DataFrame(method._asdict() | {"time": self.times} | quartiles))
        return pd.concat(frames, ignore_index=True)

    def plot(self) -> "Figure":
        """Returns a figure of the regret over time, its median and its quartiles."""
        from tautune.analysis.regret_figure import regret_figure

        return regret_figure(self)

    def as_json(self) -> Json:
        """Returns the content of simulate.json."""
        own = {name: getattr(self, name) for name in FIELDS}
        runs = [asdict(run) | {"method": run.method._asdict()} for run in self.runs]
        undecided = [method._asdict() for method in self.undecided()]
        return own | {"methods": self.rows(), "undecided": undecided, "runs": runs}

    @classmethod
    def from_json(cls, content: Json, path: "Folder | None" = None) -> "Regret":
        """Returns the conclusions that `as_json` gave."""
        return cls(**{name: content[name] for name in FIELDS}, runs=tuple(map(_run, content["runs"])), path=path)

    def at(self, path: "Folder") -> "Regret":
        """Returns the same conclusions with the folder that holds them."""
        return replace(self, path=path)


def _run(content: Json) -> Run:
    changed = {"method": Method(**content["method"])} | {name: tuple(content[name]) for name in ("times", "values")}
    return Run(**{name: content[name] for name in ("seed", "trials")} | changed)
