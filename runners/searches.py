"""Ray Tune's searches by name, in the form in which each takes a study's space."""

import logging
import warnings
from typing import Any

from hyperopt import hp
from ray.tune.search import BasicVariantGenerator, SearchAlgorithm, Searcher
from ray.tune.search.hyperopt import HyperOptSearch
from ray.tune.search.optuna import OptunaSearch
from ray.tune.search.sample import Categorical, Domain, Float, Integer

from tautune.records.errors import InputError
from tautune.runners.no_repeats import DistinctHyperOpt, DistinctOptuna
from tautune.search_spaces.space import COMBINATION, Space, When, combinations, domain_of, is_active, settled

METRIC, MODE = "validation_accuracy", "max"
OPTUNA = ("optuna-tpe", "gp", "cmaes")
SEARCHES = ("grid", "random", "hyperopt", *OPTUNA)


def check_search(search: str, space: Space) -> None:
    """Raises InputError if it cannot search that space."""
    domains = {name: domain_of(entry) for name, entry in space.items()}
    if search == "grid":
        ranges = [name for name, d in domains.items() if isinstance(d, Domain) and not isinstance(d, Categorical)]
        if ranges:
            raise InputError(f"--search grid needs choices, and {ranges[0]} is a range; use random or hyperopt")
    if search == "cmaes" and sum(isinstance(d, Float | Integer) for d in domains.values()) < 2:
        raise InputError("--search cmaes adapts ranges, and needs at least two of them in the space; use optuna-tpe")


def make_search(name: str, space: Space, seed: int, *, trials: int = 20) -> tuple[Searcher | SearchAlgorithm, Space]:
    """The search, and what it leaves for Tune to draw.

    Args:
        trials: in all; HyperOpt draws a third of them at random first, 20 at most as is its own default.

    Raises:
        InputError: its library is not installed.
    """
    space = settled(space)
    if name == "grid":
        return BasicVariantGenerator(random_state=seed), {COMBINATION: {"grid_search": combinations(space)}}
    if name == "random":
        flat = {key: domain_of(entry) for key, entry in space.items()}
        return BasicVariantGenerator(random_state=seed), flat
    if name == "hyperopt":
        tree, at_random = hyperopt_space(space), min(20, max(5, trials // 3))
        return DistinctHyperOpt(tree, metric=METRIC, mode=MODE, random_state_seed=seed, n_initial_points=at_random), {}
    return _optuna_search(name, space, seed), {}


def hyperopt_space(space: Space) -> dict[str, Any]:
    """HyperOpt's tree: what depends on a choice hangs below the values it exists for."""
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
    """The space as Optuna takes it: asked one hyperparameter after another, those that exist only."""

    def __init__(self, space: Space) -> None:
        self.space = space
        domains = {name: d for name, e in space.items() if isinstance(d := domain_of(e), Domain)}
        self.distributions = OptunaSearch.convert_search_space(domains) if domains else {}

    def __call__(self, trial: Any) -> Space:
        config: Space = {}
        for name, entry in self.space.items():
            if is_active(name, self.space, config):
                known = self.distributions.get(name)
                config[name] = trial._suggest(name, known) if known else domain_of(entry)
        return config


def _optuna_search(name: str, space: Space, seed: int) -> Searcher:
    try:
        import cmaes  # noqa: F401 - for Optuna's CmaEsSampler
        import optuna
    except ImportError as error:
        hint = "install them with pip install 'tautune[optuna]'"
        raise InputError(f"--search {name} needs the packages optuna and cmaes: {error}; {hint}") from None

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("ray.tune.search.optuna").setLevel(logging.ERROR)
    samplers = optuna.samplers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "experimental"
        sampler: optuna.samplers.BaseSampler
        if name == "optuna-tpe":
            sampler = samplers.TPESampler(seed=seed, multivariate=True, group=True)
        elif name == "gp":
            sampler = samplers.GPSampler(seed=seed)
        else:
            sampler = samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
    # gp's proposals are dear, and cmaes does not repeat itself: it adapts ranges
    kind = DistinctOptuna if name == "optuna-tpe" else OptunaSearch
    return kind(OptunaSpace(space), metric=METRIC, mode=MODE, sampler=sampler)
