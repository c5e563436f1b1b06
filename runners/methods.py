"""Searches and schedulers by name, and which of them go with which space. Imports neither torch nor Ray."""

import sys
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from typing import Literal

from tautune.analysis.trial_names import POPULATION as POPULATION
from tautune.records.errors import InputError, user_input
from tautune.search_spaces.names import check_name
from tautune.trainables.supervised.hyperparameters import DIFFERENTIABLE, MUTABLE, of_training

Kind = Literal["range", "integers", "choice", "value"]
"""What a search may do with a hyperparameter: choose a number, an integer, one of a list, or nothing."""

OPTUNA = ("optuna-tpe", "gp", "cmaes", "nsga2")
MANY_GOALS = ("grid", "random", "optuna-tpe", "gp", "nsga2")
"""Those that go by several goals, or by none."""
NEVERGRAD = ("pso", "de")
"""Particle swarm and differential evolution."""
SEARCHES = ("grid", "random", "hyperopt", *OPTUNA, *NEVERGRAD, "gradient")
EXTRAS = {"optuna": OPTUNA, "nevergrad": NEVERGRAD}
"""The extras of the package, each with the searches that need it."""
SMALLEST, LARGEST = 5, 30
"""Bounds of a population of configurations: fewer cannot be recombined, and 30 is Nevergrad's for de."""
GENERATIONS = 8
"""Generations that the trials make at least, where that leaves enough for a population."""
EARLY = ("asha", "hyperband", "median")
"""Those that end a trial before its epochs are done."""
SCHEDULERS = ("none", *EARLY, *POPULATION)


def check_methods(search: str, scheduler: str, kinds: Mapping[str, Kind], mutable: Collection[str] = MUTABLE) -> None:
    """Raises InputError if search, scheduler and space do not go together, or if a package is missing.

    Args:
        mutable: the hyperparameters that a population may move while a trial trains.
    """
    with user_input():
        check_name("search", search, SEARCHES)
        check_name("scheduler", scheduler, SCHEDULERS)
    _check_search(search, kinds)
    if scheduler in POPULATION:
        _check_population(scheduler, search, kinds, mutable)


def check_goals(search: str, goals: int) -> None:
    """Raises InputError if the search cannot go by so many goals."""
    if goals > 1 and search not in MANY_GOALS:
        raise InputError(f"search {search} goes by one goal; with several, use {', '.join(MANY_GOALS)}")


def check_aims(goals: object, at_most: object) -> None:
    """Raises ValueError unless these are names, and limits that are finite numbers by name."""
    if not isinstance(goals, tuple | list) or not all(isinstance(name, str) and name for name in goals):
        raise ValueError(f"goals must be a list of names, such as ['validation_accuracy', 'size:min'], not {goals!r}")
    if not isinstance(at_most, dict):
        raise ValueError(f"at_most must be a dict of limits by name, not {at_most!r}")
    for name, most in at_most.items():
        number = isinstance(most, int | float) and not isinstance(most, bool) and abs(most) <= sys.float_info.max
        if not isinstance(name, str) or not number:
            raise ValueError(f"at_most must have a finite number for each name, not {name!r}: {most!r}")


def check_starts(search: str, points: object) -> None:
    """Raises InputError if there are points to start from, and the search takes none."""
    if points and search == "grid":
        raise InputError(
            "search grid tries every configuration, and in its own order: it takes no points to start from"
        )


def population(trials: int) -> int:
    """Returns the size of a population that moves several times within so many trials.

    The libraries' own, of 30 to 50, would be drawn at random for all of a tuning's twenty trials.
    """
    return min(LARGEST, max(SMALLEST, trials // GENERATIONS))


def _check_search(search: str, kinds: Mapping[str, Kind]) -> None:
    ranges = [name for name, kind in kinds.items() if kind in ("range", "integers")]
    if search == "grid" and ranges:
        raise InputError(f"search grid needs choices, and {ranges[0]} is a range; use random or hyperopt")
    if search == "cmaes" and len(ranges) < 2:
        raise InputError("search cmaes adapts ranges, and needs at least two of them in the space; use optuna-tpe")
    if search in NEVERGRAD and not ranges:
        raise InputError(f"search {search} moves through ranges, and the space has none; use hyperopt or grid")
    if search == "gradient":
        _check_gradient(kinds)
    for extra, packages in {"optuna": ("optuna", "cmaes"), "nevergrad": ("nevergrad",)}.items():
        if search in EXTRAS[extra] and (missing := [package for package in packages if find_spec(package) is None]):
            needs, how = " and ".join(packages), f"install it with pip install 'tautune[{extra}]'"
            raise InputError(f"search {search} needs {needs}, and {missing[0]} is missing; {how}")


def _check_gradient(kinds: Mapping[str, Kind]) -> None:
    known = f"{', '.join(DIFFERENTIABLE[:-1])} and {DIFFERENTIABLE[-1]}"
    for name, kind in kinds.items():
        if kind != "value" and of_training(name) not in DIFFERENTIABLE:
            raise InputError(
                f"search gradient differentiates by {known}, not by {name}; fix its value, or use hyperopt"
            )
        if kind not in ("value", "range"):
            what = "a choice" if kind == "choice" else "a range of integers"
            raise InputError(f"search gradient needs ranges, and {name} is {what}; fix its value, or use hyperopt")
    if "range" not in kinds.values():
        raise InputError(f"search gradient needs a range of {known} in the space, and there is none")


def _check_population(scheduler: str, search: str, kinds: Mapping[str, Kind], mutable: Collection[str]) -> None:
    if search != "random":
        raise InputError(f"scheduler {scheduler} moves configurations itself; use it with search random, not {search}")
    moved = {name: kinds[name] for name in mutable if kinds.get(name, "value") != "value"}
    if not moved:
        raise InputError(f"scheduler {scheduler} needs a range or a choice of {', '.join(mutable)} in the space")
    no_range = [name for name, kind in moved.items() if kind != "range"]
    if scheduler == "pb2" and no_range:
        raise InputError(f"scheduler pb2 moves ranges of numbers, and {no_range[0]} is none; fix its value, or use pbt")
