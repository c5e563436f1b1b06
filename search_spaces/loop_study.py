"""A study of a training loop that its user wrote, as Ray Tune's documentation teaches it."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import Any

from tautune.search_spaces.defaults import check_defaults, check_points
from tautune.search_spaces.names import check_name, check_study_name
from tautune.search_spaces.nested import Paths, flat, flattened, nested
from tautune.search_spaces.space import Space, active, check_space
from tautune.trainables.goal import COLUMNS, Goal, Mode

Config = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class LoopStudy:
    """A training loop to tune: what it reports, which hyperparameters it takes, and within which bounds.

    The loop is a function `train(config)`, which calls `ray.tune.report({...}, checkpoint=...)`, returns or yields its
    metrics; or a class that inherits from `ray.tune.Trainable`. It runs unchanged. Its `config` holds the
    hyperparameters that exist in a configuration, and nothing else.

    Raises:
        ValueError: one of the values cannot be used; the message begins with its name.
    """

    name: str
    description: str
    train: Callable[[Config], Any] | type
    space: Space
    """Hyperparameter → a Ray Tune domain (`tune.loguniform`, `tune.randint`, `tune.choice` …), a `When`, a value, or a
    dictionary of them: of {"optimizer": {"lr": …}}, `optimizer/lr` is the name everywhere but in the loop."""
    metric: str
    """The name under which the loop reports what configurations are compared by; `a/b` for one of a nested dict."""
    mode: Mode
    """max or min: which of two values is the better one."""
    search: str = "hyperopt"
    """The search that is used unless the command names another."""
    scheduler: str = "asha"
    """The scheduler that is used unless the command names another. It counts reports."""
    trials: int = 20
    """Number of configurations to try by default."""
    max_reports: int = 100
    """Largest number of reports of a trial by default: it is ended after these."""
    penalty: float = 1e6
    """Size of the metric that a trial is given which diverged or raised; with mode max, its negative is given. What is
    worse than this counts as diverged."""
    mutable: tuple[str, ...] | None = None
    """Hyperparameters that a population may move while a trial trains; None means all that are searched."""
    refit: Callable[[Config, str], dict[str, float]] | None = None
    """A function (configuration, results folder) for `tautune refit`, which trains the best configuration once more and
    returns numbers for test.json; what else it keeps, it writes into the folder."""
    points_to_evaluate: tuple[dict[str, Any], ...] | list[dict[str, Any]] = ()
    """Configurations to try first, or parts of some: what is missing is drawn at random."""
    source: Path | None = None
    """The file of a user's own study."""
    paths: Paths = field(default_factory=dict, repr=False)
    """Where hyperparameters stand in the loop's configuration that are nested there; the study itself fills it."""

    def __post_init__(self) -> None:
        check_study_name(self.name)
        self._check_train()
        self._check_goal()
        check_defaults(self, ("trials", "max_reports"))
        if not isinstance(self.space, dict):
            raise ValueError(f"space must be a dict of hyperparameters, not a {type(self.space).__name__}")
        self._flatten()
        check_space(self.space)
        check_points(self.points_to_evaluate, self.space)
        for name in self.mutable or ():
            check_name("mutable", name, tuple(self.space))
        if self.refit is not None and not callable(self.refit):
            raise ValueError(f"refit must be a function (configuration, folder), not a {type(self.refit).__name__}")

    def _flatten(self) -> None:
        space, paths = flattened(self.space)
        object.__setattr__(self, "space", space)
        object.__setattr__(self, "paths", self.paths | paths)
        if isinstance(self.points_to_evaluate, list | tuple):
            points = [self.flat(point) if isinstance(point, dict) else point for point in self.points_to_evaluate]
            object.__setattr__(self, "points_to_evaluate", tuple(points))

    def _check_train(self) -> None:
        if isinstance(self.train, type):
            from ray.tune import Trainable

            if not issubclass(self.train, Trainable):
                raise ValueError(
                    f"train must be a function or a ray.tune.Trainable, not the class {self.train.__name__}"
                )
            return
        if not callable(self.train):
            raise ValueError(f"train must be a function or a ray.tune.Trainable, not a {type(self.train).__name__}")
        try:
            inspect.signature(self.train).bind({})
        except TypeError:
            raise ValueError(
                f"train must take one argument, the configuration: it is {_name(self.train)}"
                f"{inspect.signature(self.train)}"
            ) from None

    def _check_goal(self) -> None:
        if not isinstance(self.metric, str) or not self.metric:
            raise ValueError(f"metric must be the name of what the loop reports, not {self.metric!r}")
        if self.metric in COLUMNS:
            raise ValueError(f"metric must not be {self.metric}, which is a column of trials.csv; report another name")
        if self.mode not in ("max", "min"):
            raise ValueError(f"mode must be max or min, not {self.mode!r}")
        penalty = self.penalty
        if not isinstance(penalty, Real) or isinstance(penalty, bool) or not 0 <= penalty < math.inf:
            raise ValueError(f"penalty must be a finite number of at least 0, not {penalty!r}")

    @property
    def goal(self) -> Goal:
        """Returns what its trials are compared by."""
        return Goal(self.metric, self.mode, unit="reports")

    @property
    def worst(self) -> float:
        """Returns the metric of a trial that diverged or raised."""
        return -self.penalty if self.mode == "max" else self.penalty

    @property
    def max_epochs(self) -> int:
        """Returns `max_reports`, which is what the command's --max-epochs stands for."""
        return self.max_reports

    @property
    def examples(self) -> None:
        """Returns None: a loop divides its data itself."""
        return

    def hyperparameters(self, config: Config) -> Config:
        """Returns a search's configuration: flat, and only with what exists in it."""
        return active(self.space, self.flat(config))

    def flat(self, config: Config) -> Config:
        """Returns a configuration, or a part of one, with the flat names of the space."""
        return flat(config, self.space)

    def arguments(self, config: Config) -> Config:
        """Returns a flat configuration as the loop takes it, nested where the space was written so."""
        return nested(config, self.paths)

    def setting(self, values: Config) -> "LoopStudy":
        """Returns the same study with some hyperparameters fixed. Raises ValueError if the space has none of a name."""
        for name in values:
            check_name("hyperparameter", name, tuple(self.space))
        return replace(self, space=self.space | values)

    def described(self) -> Config:
        """Returns what two runs of the same study must have in common, as plain JSON."""
        return {"metric": self.metric, "mode": self.mode, "penalty": self.penalty}


def _name(train: Any) -> str:
    return str(getattr(train, "__name__", type(train).__name__))
