"""A study's search space: Ray Tune domains, fixed values, and domains that hold only sometimes."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from ray.tune.search.sample import Categorical, Domain, Float, Function, Integer, LogUniform

Space = dict[str, Any]
"""Hyperparameter → a domain (`tune.loguniform`, `tune.choice` …), a fixed value, or a `When`."""


COMBINATION = "combination"
"""The one hyperparameter of a grid search: whole configurations."""


@dataclass(frozen=True)
class When:
    """A hyperparameter that exists only where another one has some of its values.

    "layers": tune.choice([1, 2, 3]),
    "units_2": When("layers", (2, 3), tune.choice([64, 128])),
    """

    parameter: str
    """A `tune.choice` of the same space, or a `When` that holds one."""
    values: tuple[Any, ...]
    domain: Any


def domain_of(entry: Any) -> Any:
    """A domain or a fixed value, its condition left out."""
    return entry.domain if isinstance(entry, When) else entry


def is_active(name: str, space: Space, config: dict[str, Any]) -> bool:
    """Whether `name` exists in that configuration."""
    entry = space[name]
    if not isinstance(entry, When):
        return True
    return is_active(entry.parameter, space, config) and config.get(entry.parameter) in entry.values


def active(space: Space, config: dict[str, Any]) -> dict[str, Any]:
    """The configuration as a search gave it, flat, in the space's order, without what does not exist in it."""
    flat = _flat(config)
    return {name: _plain(flat[name]) for name in space if name in flat and is_active(name, space, flat)}


def _flat(config: dict[str, Any]) -> dict[str, Any]:
    """Dissolves a grid's combination and HyperOpt's branches {layers: {layers: 2, units_2: 64}}, and no value."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        branch = isinstance(value, dict) and (name == COMBINATION or name in value)
        flat |= _flat({k: v for k, v in value.items() if k != name}) if branch else {name: value}
        if branch and name in value:
            flat[name] = value[name]
    return flat


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def combinations(space: Space) -> list[dict[str, Any]]:
    """Every configuration of a space of choices, each once, the last entry of the space varying fastest."""
    values = [list(d.categories) if isinstance(d := domain_of(e), Categorical) else [d] for e in space.values()]
    every = (active(space, dict(zip(space, chosen, strict=True))) for chosen in product(*values))
    return list({repr(config): config for config in every}.values())


def settled(space: Space) -> Space:
    """The same space without the conditions on what is fixed in it."""
    found: Space = {}
    for name, entry in space.items():
        parent = domain_of(found.get(entry.parameter)) if isinstance(entry, When) else None
        if not isinstance(entry, When) or isinstance(parent, Domain):
            found[name] = entry
        elif entry.parameter in found and parent in entry.values:
            found[name] = entry.domain
    return found


def ends(domain: Any) -> list[Any]:
    """The values at which a rule for all of the domain has to be tried."""
    if isinstance(domain, Categorical):
        return list(domain.categories)
    if isinstance(domain, Float):
        return [domain.lower, domain.upper]
    if isinstance(domain, Integer):
        return [domain.lower, domain.upper - 1]
    return [] if isinstance(domain, Domain) else [domain]


def check_space(space: Space) -> None:
    """Raises ValueError for bounds in the wrong order, an empty choice, or a condition on what is no choice."""
    for name, entry in space.items():
        if not isinstance(name, str):
            raise ValueError(f"a hyperparameter's name must be text, not {name!r}")
        domain = domain_of(entry)
        if isinstance(domain, Function | dict):
            raise ValueError(f"{name} must be a range, a choice or a value, not {domain!r}")
        if isinstance(domain, Categorical) and not domain.categories:
            raise ValueError(f"{name} is a choice of nothing")
        if isinstance(domain, Float | Integer):
            if not -np.inf < domain.lower < domain.upper < np.inf:
                raise ValueError(f"{name} must have a lower bound below its upper, not {domain.lower}, {domain.upper}")
            if isinstance(domain.get_sampler(), LogUniform) and domain.lower <= 0:
                raise ValueError(f"{name} is on a log scale and must have bounds above 0, not {domain.lower}")
        if isinstance(entry, When):
            _check_condition(name, entry, space)


def _check_condition(name: str, entry: When, space: Space) -> None:
    parent = domain_of(space.get(entry.parameter))
    if entry.parameter in space and not isinstance(parent, Domain):
        return  # it is fixed: the condition holds or not, once and for all
    if not isinstance(parent, Categorical):
        raise ValueError(f"{name} depends on {entry.parameter}, which must be a tune.choice of the same space")
    if list(space).index(entry.parameter) > list(space).index(name):
        raise ValueError(f"{name} depends on {entry.parameter}, which must come before it in the space")
    strangers = [value for value in entry.values if value not in parent.categories]
    if strangers:
        raise ValueError(f"{name} depends on {entry.parameter} = {strangers[0]!r}, which is none of its choices")


def as_text(entry: Any) -> Any:
    """An entry for run.json: a fixed value as it is."""
    if isinstance(entry, When):
        return f"when {entry.parameter} in {list(entry.values)}: {as_text(entry.domain)}"
    if isinstance(entry, Domain):
        bounds = {k: v for k, v in vars(entry).items() if k in ("lower", "upper", "categories")}
        return f"{type(entry).__name__.lower()} {entry.get_sampler()} {bounds}"
    return entry
