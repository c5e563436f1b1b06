"""Particle swarms and differential evolution: Ray Tune's Nevergrad searcher, in the form in which it takes a space."""

import warnings
from typing import Any

import numpy as np
from ray.tune.search.nevergrad import NevergradSearch
from ray.tune.search.sample import Categorical, Domain, Float, Integer, LogUniform, Normal, Quantized

from tautune.runners.methods import population
from tautune.search_spaces.space import Space, domain_of, ends
from tautune.trainables.goal import Goal

SLASH = "\\"
"""Stands in names for a slash, which Ray Tune's searcher refuses."""


class FlatNevergrad(NevergradSearch):
    """Ray Tune's Nevergrad, which knows ranges and choices alone: what is fixed is added to its suggestions.

    Conditions are none of its notions either. It draws every hyperparameter, and those that do not exist in a
    configuration are dropped from it later, by `active`: they move through the swarm without a meaning.
    """

    def __init__(self, space: Space, seed: int, points: list[Space], **options: Any) -> None:
        domains = {name: domain_of(entry) for name, entry in space.items()}
        self.fixed = {name: value for name, value in domains.items() if not _is_searched(value)}
        self.fixed = {name: ends(d)[0] if isinstance(d, Domain) else d for name, d in self.fixed.items()}
        self.names = {name.replace("/", SLASH): name for name in domains if name not in self.fixed}
        searched = {own: _without_steps(name, domains[name]) for own, name in self.names.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ranges on a log scale that are narrow
            parameters = self.convert_search_space(searched)
            parameters.random_state = np.random.RandomState(seed)
            whole = [parameters.value | self._own(point) for point in points]
            super().__init__(space=parameters, points_to_evaluate=whole or None, **options)

    def _own(self, point: Space) -> Space:
        return {own: point[name] for own, name in self.names.items() if name in point}

    def suggest(self, trial_id: str) -> Any:
        """Returns the next configuration."""
        return {self.names[own]: value for own, value in super().suggest(trial_id).items()} | self.fixed


def nevergrad_search(
    name: str, space: Space, goal: Goal, *, seed: int, trials: int, points: list[Space]
) -> FlatNevergrad:
    """Returns the search `pso` or `de`.

    A swarm moves on a scale of standard deviations: on Nevergrad's other
    one, `arctan`, its first speeds send it to the bounds of the space.

    Raises:
        ValueError: Nevergrad cannot draw from a domain of the space.
    """
    from nevergrad.optimization.differentialevolution import DifferentialEvolution
    from nevergrad.optimization.optimizerlib import ConfPSO

    size = population(trials)
    optimizer = ConfPSO(transform="gaussian", popsize=size) if name == "pso" else DifferentialEvolution(popsize=size)
    return FlatNevergrad(space, seed, points, optimizer=optimizer, metric=goal.metric, mode=goal.mode)


def _is_searched(domain: Any) -> bool:
    """Returns whether there is something to choose: Nevergrad has no range of one integer."""
    if isinstance(domain, Categorical):
        return len(domain.categories) > 1
    return isinstance(domain, Domain) and not (isinstance(domain, Integer) and len(set(ends(domain))) == 1)


def _without_steps(name: str, domain: Any) -> Domain:
    """Returns the domain without its steps, which Nevergrad does not have: `active` rounds to them."""
    if not isinstance(domain, Float | Integer):
        return domain
    sampler = domain.get_sampler()
    plain = sampler.sampler if isinstance(sampler, Quantized) else sampler
    if isinstance(plain, Normal):
        raise ValueError(f"{name} is a normal distribution, and Nevergrad's searches need bounds")
    if not isinstance(sampler, Quantized):
        return domain
    above = 1 if isinstance(domain, Integer) else 0  # without steps, Ray's integers end before their upper bound
    bare = type(domain)(domain.lower, domain.upper + above)
    return bare.loguniform() if isinstance(plain, LogUniform) else bare.uniform()
