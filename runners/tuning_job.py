"""What to tune and how: a study with the options of its run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray.tune.search.sample import Domain

from tautune import search_spaces
from tautune.records.errors import InputError, user_input
from tautune.records.storage import Folder
from tautune.records.tuning_folder import FORMAT
from tautune.runners.aims import aimed_study
from tautune.runners.gradient_checks import check_gradient
from tautune.runners.methods import MANY_GOALS, check_goals, check_methods, check_starts
from tautune.runners.searches import check_domains, kinds_of
from tautune.runners.starting_points import fitted
from tautune.runners.tuning_checks import NO_TRIALS, Options, check_findable
from tautune.runners.with_workers import check_with_workers
from tautune.search_spaces.loop_study import LoopStudy
from tautune.search_spaces.space import as_text, combinations, domain_of
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.asynchronous.settings import Stages, Workers
from tautune.trainables.goal import Goal
from tautune.trainables.supervised.hyperparameters import MUTABLE

Json = dict[str, Any]
AnyStudy = TuningStudy | LoopStudy
OPTIONS = (
    "search",
    "scheduler",
    "trials",
    "max_epochs",
    "concurrent",
    "time_budget",
    "folds",
    "repeats",
    "examples",
    "cpus_per_trial",
    "gpus_per_trial",
    "seed",
    "split_seed",
)
"""The fields of a Tuning that are plain numbers and names."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What to search and how; see `tautune tune --help`.

    Raises:
        InputError: search, scheduler and space do not go together.
    """

    study: TuningStudy | LoopStudy
    search: str
    scheduler: str
    trials: int
    max_epochs: int
    concurrent: int | None = None
    time_budget: float | None = None
    """Seconds after which no trial goes on."""
    folds: int = 1
    repeats: int = 1
    examples: int | None = None
    cpus_per_trial: float = 1
    gpus_per_trial: float = 0
    seed: int = 0
    """Seed of the search and of the initial weights."""
    split_seed: int = 0
    """Seed of the splits, which has its own: runs of several seeds are compared on the same images."""
    data_dir: Path | None = None
    points: tuple[Json, ...] = ()
    """Whole configurations to try first."""
    misfits: tuple[str, ...] = field(default=(), compare=False)
    """What of those that were asked for did not fit into the space, in lines."""
    goal: Goal
    """What its trials are compared by: the study's goal, with the goals and limits of this run."""
    goals: tuple[str, ...] = ()
    at_most: dict[str, float] = field(default_factory=dict)
    workers: Workers | None = None
    """Who computes the gradients, where that is not the trial itself."""
    stages: Stages | None = None
    """The pipeline that does so in its place."""
    fixed: Json = field(default_factory=dict)
    """What --set fixed in the study's space, which has these values already."""

    def __post_init__(self) -> None:
        if isinstance(self.study, LoopStudy):
            self._check_loop()
        if self.search == "gradient":
            check_gradient(self.study)
        check_methods(self.search, self.scheduler, kinds_of(self.study.space), self.mutable)
        check_starts(self.search, self.points)
        check_goals(self.search, 1 + len(self.goal.others))
        check_domains(self.search, self.study.space)
        if self.places:
            check_with_workers(self)

    def _check_loop(self) -> None:
        given = {"folds": self.folds > 1, "repeats": self.repeats > 1, "examples": self.examples is not None}
        given |= {"split_seed": self.split_seed != 0, "data_dir": self.data_dir is not None}
        for name, is_given in given.items():
            if is_given:
                raise InputError(f"{name} must be left out: {self.study.name} is a loop of its own, with its own data")

    @property
    def places(self) -> Workers | Stages | None:
        """Returns the processes that a trial has beside its own, if there are any."""
        return self.workers or self.stages

    @property
    def searched(self) -> list[str]:
        """Returns the hyperparameters that have no fixed value."""
        return [name for name, entry in self.study.space.items() if isinstance(domain_of(entry), Domain)]

    @property
    def mutable(self) -> tuple[str, ...]:
        """Returns the hyperparameters that a population may move."""
        if isinstance(self.study, TuningStudy):
            return MUTABLE
        return tuple(self.study.space) if self.study.mutable is None else self.study.mutable

    @property
    def moved(self) -> list[str]:
        """Returns those of them that the space has as ranges or choices."""
        return [name for name in self.mutable if isinstance(self.study.space.get(name), Domain)]

    @property
    def device(self) -> str:
        return "cuda" if self.gpus_per_trial else "cpu"

    @property
    def resources(self) -> dict[str, float]:
        """What one trial asks for."""
        return {"CPU": self.cpus_per_trial, "GPU": self.gpus_per_trial}

    @property
    def samples(self) -> int:
        """How many trials there are: of a grid, as many as it has combinations."""
        return len(combinations(self.study.space)) if self.search == "grid" else self.trials

    def configuration(self) -> Json:
        """Returns all of it as plain JSON, for run.json; a later `resume` compares its study with that."""
        study = self.study
        return {
            "kind": "tuning",
            "format": FORMAT,
            "study": str(study.source or study.name),
            "space": {name: as_text(entry) for name, entry in study.space.items()},
            **study.described(),
            **{name: getattr(self, name) for name in OPTIONS},
            "data_dir": str(self.data_dir) if self.data_dir else None,
            "set": self.fixed,
            "points": list(self.points),
            **({"goals": list(self.goals)} if self.goals else {}),
            **({"at_most": self.at_most} if self.at_most else {}),
            **({"workers": self.workers.as_json()} if self.workers else {}),
            **({"stages": self.stages.as_json()} if self.stages else {}),
        }


def make_tuning(study: TuningStudy | LoopStudy | str, options: Options) -> Tuning:
    """Returns the tuning of a study, or of the one with that name or in that file, with its defaults.

    Raises:
        InputError: there is no such study, or the options do not fit it.
    """
    with user_input():
        if isinstance(study, str):
            study = search_spaces.find_tuning(study)
        if not isinstance(study, TuningStudy | LoopStudy):
            kinds = "a TuningStudy, a LoopStudy, a name or a file's path"
            raise InputError(f"study must be {kinds}, not {type(study).__name__}")
        study = study.setting(options.fixed)
        study, goal = aimed_study(study, options.goals, options.at_most)
    search = options.search or study.search
    if goal.others and not options.search and search not in MANY_GOALS:
        search = "optuna-tpe"
    if options.trials is not None and search == "grid":
        raise InputError(NO_TRIALS)
    asked = (*options.points_to_evaluate, *study.points_to_evaluate)
    if isinstance(study, LoopStudy):
        asked = tuple(map(study.flat, asked))
    points, misfits = fitted(study.space, asked, options.seed)
    if asked and not points:
        raise InputError(f"none of the points to start from fits into the space of {study.name}: {misfits[0]}")
    given = {name: getattr(options, name) for name in OPTIONS}
    defaults = {name: given[name] or getattr(study, name) for name in ("scheduler", "trials", "max_epochs", "examples")}
    return Tuning(
        study=study,
        points=tuple(points),
        misfits=tuple(misfits),
        goal=goal,
        goals=tuple(options.goals),
        at_most=options.at_most,
        fixed=options.fixed,
        data_dir=options.data_dir.resolve() if options.data_dir else None,
        workers=options.workers,
        stages=options.stages,
        **given | defaults | {"search": search},
    )


def tuning_of(run: Json, folder: Folder, study: TuningStudy | LoopStudy | None = None) -> Tuning:
    """Returns the tuning that wrote a folder's run.json.

    Args:
        study: the one that was tuned, where it has no name or file by which it can be found.

    Raises:
        InputError: the study is not there any more, or is another one now.
    """
    kept = run["configuration"]
    found = study or _find_study(kept["study"], folder)
    try:
        found = found.setting(kept["set"])
        found, goal = aimed_study(found, kept.get("goals", ()), kept.get("at_most", {}))
    except ValueError as error:
        raise InputError(f"{folder} is a tuning of the study {kept['study']}: {error}") from error
    tuning = Tuning(
        study=found,
        fixed=kept["set"],
        points=tuple(kept.get("points", ())),
        goal=goal,
        goals=tuple(kept.get("goals", ())),
        at_most=kept.get("at_most", {}),
        workers=Workers.from_json(kept["workers"]) if "workers" in kept else None,
        stages=Stages.from_json(kept["stages"]) if "stages" in kept else None,
        data_dir=Path(kept["data_dir"]) if kept["data_dir"] else None,
        **{name: kept[name] for name in OPTIONS},
    )
    now_is = tuning.configuration()
    differing = [name for name in kept if now_is.get(name) != kept[name]]
    if differing:
        raise InputError(
            f"{folder} was tuned with another version of the study {kept['study']}: its {differing[0]} was "
            f"{kept[differing[0]]}, and is {now_is.get(differing[0])}"
        )
    return tuning


def _find_study(name: str, folder: Folder) -> TuningStudy | LoopStudy:
    check_findable(name, folder)
    try:
        return search_spaces.find_tuning(name)
    except ValueError as error:
        raise InputError(f"{folder} is a tuning of the study {name}: {error}") from error
