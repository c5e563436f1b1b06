"""What can be said of a tuning before anything heavy is imported: neither torch, nor Ray Tune, nor Ray."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from tautune import search_spaces
from tautune.records.errors import InputError, user_input
from tautune.records.run_file import RUN_FILE
from tautune.records.storage import Folder
from tautune.records.tuning_folder import read_best, read_tuning
from tautune.runners.methods import POPULATION, SCHEDULERS, SEARCHES, Kind, check_aims, check_methods, check_starts
from tautune.runners.shared import check_types
from tautune.runners.trust import check_checkpoints_trusted, check_trusted
from tautune.runners.tuning_journal import events_of, has_unfinished
from tautune.search_spaces.catalogue import CATALOGUE, Entry, check_fixed
from tautune.search_spaces.catalogue import check_study as check_name_or_file
from tautune.search_spaces.defaults import check_points
from tautune.search_spaces.names import check_name
from tautune.trainables.asynchronous.settings import Stages, Workers
from tautune.trainables.goal import goal_in
from tautune.trainables.supervised.data_files import DataError, check_data, is_here
from tautune.trainables.supervised.hyperparameters import TRAINING_NAMES

Json = dict[str, Any]
NO_TRIALS = "trials must be left out with the search grid, which tries every configuration"
CLASSES = 10
"""Classes in each of the built-in data sets."""
RAREST = {"digits": 139, "mnist": 5421, "fashion_mnist": 6000, "cifar10": 5000}
"""Training images of the rarest class in each of the built-in data sets."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `tautune tune`; None stands for the study's own.

    Raises:
        InputError: one of them is out of its bounds; the message begins with its name.
    """

    search: str | None = None
    scheduler: str | None = None
    trials: int | None = None
    max_epochs: int | None = None
    fixed: Json = field(default_factory=dict)
    folds: int = 1
    repeats: int = 1
    examples: int | None = None
    concurrent: int | None = None
    time_budget: float | None = None
    cpus_per_trial: float = 1
    gpus_per_trial: float = 0
    seed: int = 0
    split_seed: int = 0
    data_dir: Path | None = None
    points_to_evaluate: tuple[Json, ...] = ()
    """Configurations to try first, or parts of them."""
    goals: tuple[str, ...] = ()
    """What trials are compared by, each a name, name:min or name:max; without any, the study's."""
    at_most: Json = field(default_factory=dict)
    """Limits of what trials report, by name."""
    workers: Workers | None = None
    stages: Stages | None = None
    """Who computes the gradients of each trial, where that is not the trial itself: workers, or a pipeline."""

    def __post_init__(self) -> None:
        whole = ("trials", "max_epochs", "folds", "repeats", "examples", "concurrent", "seed", "split_seed")
        with user_input():
            check_types(self, integers=whole, numbers=("time_budget", "cpus_per_trial", "gpus_per_trial"))
        positive = ("trials", "max_epochs", "time_budget", "folds", "repeats", "examples", "concurrent")
        for name in (*positive, "cpus_per_trial"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"{name} must be above 0, and finite, not {value:g}")
        share = self.gpus_per_trial
        if not 0 <= share < math.inf or (share > 1 and share % 1):
            raise InputError(f"gpus_per_trial must be a share of one GPU or a whole number, not {share:g}")
        with user_input():
            check_name("search", self.search or "grid", SEARCHES)
            check_name("scheduler", self.scheduler or "none", SCHEDULERS)
        with user_input():
            check_points(self.points_to_evaluate)
            check_aims(self.goals, self.at_most)
        if self.trials is not None and self.search == "grid":
            raise InputError(NO_TRIALS)


def options_among(given: Mapping[str, Any], **own: Any) -> Options:
    """Returns the options that are among a function's arguments, which have the same names, beside some of its own."""
    return Options(**{field.name: given[field.name] for field in fields(Options) if field.name in given} | own)


def check_study(study: object, options: Options) -> None:
    """Raises InputError if there is no study of that name or file, or if a built-in one cannot be tuned so."""
    if not isinstance(study, str):
        return
    with user_input():
        check_name_or_file(study, "tune")
        if study in CATALOGUE:
            check_fixed(study, options.fixed)
    if study not in CATALOGUE:
        return
    entry = CATALOGUE[study]
    search, scheduler = options.search or entry.search, options.scheduler or entry.scheduler
    assert search
    assert scheduler
    if options.trials is not None and search == "grid":
        raise InputError(NO_TRIALS)
    check_methods(search, scheduler, _kinds(entry, options.fixed))
    check_starts(search, options.points_to_evaluate)
    if entry.data:
        _check_division(study, entry.data, options)


def check_built_in_data(study: str, data_dir: Path | None) -> None:
    """Raises InputError if a built-in study's data cannot be looked for where they should be."""
    data = CATALOGUE[study].data if study in CATALOGUE else None
    if data:
        try:
            check_data(data, data_dir)
        except DataError as error:
            raise InputError(str(error)) from None


def _kinds(entry: Entry, fixed: Json) -> dict[str, Kind]:
    kinds: dict[str, Kind] = dict.fromkeys(entry.ranges, "range")
    kinds |= dict.fromkeys(entry.choices, "choice")
    kinds |= dict.fromkeys(fixed, "value")
    return kinds


def _check_division(study: str, data: str, options: Options) -> None:
    cannot = f"the images of {study} cannot be divided so"
    if options.folds > RAREST[data]:
        raise InputError(f"{cannot}: folds must be at most {RAREST[data]}, the images of the rarest class")
    if options.examples is not None and options.examples < CLASSES:
        raise InputError(f"{cannot}: examples must be at least {CLASSES}, one of each class, not {options.examples}")


def is_built_in(study: object) -> bool:
    """Returns whether that is the name of a built-in study."""
    return isinstance(study, str) and study in CATALOGUE


def is_sure(study: object, options: Options) -> bool:
    """Returns whether all that can be refused was checked, so that Ray may start at once."""
    asked = (options.points_to_evaluate, options.goals, options.at_most, options.workers, options.stages)
    if not isinstance(study, str) or not is_built_in(study) or any(asked):
        return False
    data = CATALOGUE[study].data
    return data is not None and is_here(data, options.data_dir) and set(options.fixed) <= set(TRAINING_NAMES)


def check_findable(study: str, folder: Folder) -> None:
    """Raises InputError if the study of a tuning cannot be found by the name or file that run.json has."""
    if study not in (*CATALOGUE, *search_spaces.REGISTERED) and not study.endswith(".py"):
        raise InputError(
            f"{folder} is a tuning of the study {study!r}, which came from Python; "
            "go on from Python, with study=… and that study"
        )
    if study.endswith(".py") and not Path(study).is_file():
        raise InputError(f"{folder} is a tuning of the study {study}: there is no such file any more")


def read_findable(folder: Folder, *, has_study: bool, trust: bool) -> Json:
    """Returns run.json.

    Raises:
        InputError: the folder holds no tuning, its study or data cannot be found, or its study is not to be trusted.
    """
    run = read_tuning(folder)
    kept = run["configuration"]
    if goal_in(kept).is_of_a_loop:
        check_checkpoints_trusted(folder, trust=trust)
    if not has_study:
        check_findable(kept["study"], folder)
        check_trusted(folder, kept["study"], trust=trust)
        check_built_in_data(kept["study"], Path(kept["data_dir"]) if kept.get("data_dir") else None)
    return run


def check_searched(folder: Folder, run: Json) -> None:
    """Raises InputError if the folder has no trials of its own, but what `transfer` made of another one's best."""
    if made := run.get("transferred"):
        raise InputError(
            f"{folder} has the best configuration of {made['from']} at another delay, and no trials: "
            f"refit it, or go on with {made['from']}"
        )


def is_whole(folder: Folder, run: Json) -> bool:
    """Returns whether nothing is left of a tuning for `resume` to do."""
    last = run["runs"][-1]
    if "finished" not in last or last.get("stopped_by_budget"):
        return False
    return not has_unfinished(events_of(folder, warn=False))  # the run that goes on warns


def check_more(trials: int | None, longer: int | None) -> None:
    """Raises InputError unless one of them says by how much a tuning is to be extended."""
    if (trials is None) == (longer is None):
        raise InputError(
            "extend needs either trials, which are tried more, or longer, the epochs that each trains more"
        )
    name, value = ("trials", trials) if longer is None else ("longer", longer)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name} must be an integer of at least 1, not {value!r}")


def check_extensible(folder: Folder, run: Json, *, longer: bool = False) -> None:
    """Raises InputError if no trials can join those of a tuning, or if its trials cannot go on for longer."""
    kept, last = run["configuration"], run["runs"][-1]
    if not is_whole(folder, run) and not ("finished" in last and last.get("stopped_by_budget")):
        raise InputError(f"{folder} was stopped before its end; go on with `tautune resume {folder}` first")
    if longer:
        return
    if kept["search"] == "grid":
        raise InputError(f"{folder} is a grid: all of its configurations were tried")
    if kept["scheduler"] in (*POPULATION, "hyperband"):
        raise InputError(f"{folder} used {kept['scheduler']}, whose trials live together: none can join later")


def check_refit(folder: Folder, *, again: bool, has_study: bool, trust: bool) -> None:
    """Raises InputError if there is no best configuration to refit, or if it was refitted before."""
    read_findable(folder, has_study=has_study, trust=trust)
    if (folder / "test.json").exists() and not again:
        raise InputError(f"{folder} has a test.json: its test images were used; --again (again=True) uses them twice")
    read_best(folder)


def check_prediction(folder: Folder, files: list[Path]) -> None:
    """Raises InputError if the folder has no model, or if an image file is not there."""
    path = folder / "model.pt"
    if (folder / RUN_FILE).is_file() and goal_in(read_tuning(folder)["configuration"]).is_of_a_loop:
        raise InputError(f"{folder} is a tuning of a user's own loop; predict with what the study's own refit has kept")
    if not path.is_file():
        raise InputError(f"there is no {path}; make it with `tautune refit {folder}`")
    if isinstance(path, Path) and not is_zipfile(path):
        raise InputError(damaged(path))
    missing = next((file for file in files if not file.is_file()), None)
    if missing:
        raise InputError(f"there is no file {missing}")


def damaged(model: Folder) -> str:
    """Returns what is said of a model.pt that cannot be read."""
    return f"{model} is damaged, or not a model of tautune; make it anew with `tautune refit`"
