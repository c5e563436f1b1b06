"""Ray Tune's searches by name, in the form in which each takes a study's space."""

import logging
import warnings
from collections.abc import Iterable
from typing import Any

from hyperopt import hp
from ray.tune.search import Searcher
from ray.tune.search.hyperopt import HyperOptSearch
from ray.tune.search.optuna import OptunaSearch
from ray.tune.search.sample import Categorical, Domain, Integer, LogUniform, Quantized

from tautune.records.errors import InputError
from tautune.runners import hyperopt_internals
from tautune.runners.drawn import grid_search, random_search
from tautune.runners.gradient_search import GradientSearch, Slope
from tautune.runners.methods import NEVERGRAD, OPTUNA, Kind, population
from tautune.runners.no_repeats import DistinctHyperOpt, DistinctOptuna
from tautune.runners.optuna_goals import GoalOptuna, constraints
from tautune.runners.optuna_internals import suggest
from tautune.runners.starting_points import searched_part
from tautune.search_spaces.space import Space, When, domain_of, is_active, settled
from tautune.trainables.goal import ACCURACY, Goal


def kinds_of(space: Space) -> dict[str, Kind]:
    """Returns what a search may do with each hyperparameter."""
    return {name: _kind(domain_of(entry)) for name, entry in space.items()}


def _kind(domain: Any) -> Kind:
    if isinstance(domain, Categorical):
        return "choice"
    if isinstance(domain, Integer):
        return "integers"
    return "range" if isinstance(domain, Domain) else "value"


def check_domains(search: str, space: Space) -> None:
    """Raises InputError if the search cannot draw from a domain of the space."""
    try:
        make_search(search, space, ACCURACY, seed=0)
    except ValueError as error:
        raise InputError(f"search {search} cannot search this space: {error}") from None


def make_search(
    name: str,
    space: Space,
    goal: Goal,
    *,
    seed: int,
    trials: int = 20,
    points: Iterable[Space] = (),
    slope: Slope | None = None,
) -> Searcher:
    """Returns the search.

    Args:
        goal: what it compares trials by.
        trials: in all; HyperOpt draws a third of them at random first, but at most 20, as is its own default. A
            population of pso, de and nsga2 is an eighth of them, from 5 to 30.
        points: configurations that it suggests first.
        slope: what the search gradient goes down.
    """
    space = settled(space)
    first = [searched_part(space, point) for point in points]
    if name == "grid":
        return grid_search(space)
    if name == "random":
        return random_search(space, seed, first)
    if name == "hyperopt":
        tree, at_random = hyperopt_space(space), min(20, max(5, trials // 3))
        search = DistinctHyperOpt(
            tree,
            metric=goal.metric,
            mode=goal.mode,
            random_state_seed=seed,
            n_initial_points=at_random,
            points_to_evaluate=[_as_indices(space, point) for point in first] or None,
        )
        hyperopt_internals.complete_points(search)
        return search
    if name == "gradient":
        return GradientSearch(space, slope, seed=seed, points=first)
    if name in NEVERGRAD:
        from tautune.runners.nevergrad_search import nevergrad_search

        return nevergrad_search(name, space, goal, seed=seed, trials=trials, points=first)
    assert name in OPTUNA
    return _optuna_search(name, space, goal, seed, trials, first)


def _as_indices(space: Space, point: Space) -> Space:
    """Returns the point as HyperOpt has it: the places of choices, since a branch of its tree is no value."""
    domains = {name: domain_of(space[name]) for name in point}
    return {
        name: domains[name].categories.index(value) if isinstance(domains[name], Categorical) else value
        for name, value in point.items()
    }


def hyperopt_space(space: Space) -> dict[str, Any]:
    """Returns HyperOpt's tree: what depends on a choice hangs below the values it exists for."""
    dependents: dict[str, list[str]] = {}
    for name, entry in space.items():
        if isinstance(entry, When):
            dependents.setdefault(entry.parameter, []).append(name)
    nodes: dict[str, Any] = {}

    def node(name: str) -> Any:
        if name not in nodes:
            domain = domain_of(space[name])
            below = dependents.get(name)
            if below:
                nodes[name] = hp.choice(name, [{name: v} | _below(below, v) for v in domain.categories])
            elif isinstance(domain, Domain):
                nodes[name] = HyperOptSearch.convert_search_space({name: domain})[name]
            else:
                nodes[name] = domain
        return nodes[name]

    def _below(names: list[str], value: Any) -> dict[str, Any]:
        return {name: node(name) for name in names if value in space[name].values}

    return {name: node(name) for name, entry in space.items() if not isinstance(entry, When)}


class OptunaSpace:
    """The space as Optuna takes it: it is asked for one hyperparameter after another, for those that exist only."""

    def __init__(self, space: Space) -> None:
        self.space = space
        domains = {name: d for name, e in space.items() if isinstance(d := domain_of(e), Domain)}
        self.steps = {name: step for name, domain in domains.items() if (step := _log_step(domain))}
        domains |= {name: _without_steps(domains[name]) for name in self.steps}
        self.distributions = {  # one by one, for names with a slash are refused
            name: OptunaSearch.convert_search_space({"it": domain})["it"] for name, domain in domains.items()
        }

    def __call__(self, trial: Any) -> Space:
        config: Space = {}
        for name, entry in self.space.items():
            if is_active(name, self.space, config):
                known = self.distributions.get(name)
                config[name] = suggest(trial, name, known) if known else domain_of(entry)
                if step := self.steps.get(name):
                    config[name] = round(config[name] / step) * step
        return config


def _log_step(domain: Domain) -> Any:
    """Returns the steps of a range on a log scale, which Optuna does not have; None of any other domain."""
    sampler = domain.get_sampler()
    return sampler.q if isinstance(sampler, Quantized) and isinstance(sampler.sampler, LogUniform) else None


def _without_steps(domain: Any) -> Domain:
    plain: Domain = type(domain)(domain.lower, domain.upper).loguniform()
    return plain


def _optuna_search(name: str, space: Space, goal: Goal, seed: int, trials: int, points: list[Space]) -> Searcher:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("ray.tune.search.optuna").setLevel(logging.ERROR)
    samplers = optuna.samplers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "experimental"
        sampler: optuna.samplers.BaseSampler
        limits: Any = constraints(goal)
        if name == "optuna-tpe":
            sampler = samplers.TPESampler(seed=seed, multivariate=True, group=True, **limits)
        elif name == "gp":
            sampler = samplers.GPSampler(seed=seed, **limits)
        elif name == "nsga2":
            sampler = samplers.NSGAIISampler(seed=seed, population_size=population(trials), **limits)
        else:
            sampler = samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
    # gp's proposals are dear, cmaes and nsga2 do not repeat themselves where they adapt ranges
    kind = DistinctOptuna if name == "optuna-tpe" else GoalOptuna
    return kind(OptunaSpace(space), goal=goal, sampler=sampler, points_to_evaluate=points or None)
