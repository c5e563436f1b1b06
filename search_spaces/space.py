"""A study's search space: Ray Tune domains, fixed values, and domains that exist only under a condition."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from ray.tune.search.sample import Categorical, Domain, Float, Function, Integer, LogUniform, Normal, Quantized

Space = dict[str, Any]
"""Hyperparameter → a domain (`tune.loguniform`, `tune.choice` …), a fixed value, or a `When`."""


COMBINATION = "combination"
"""The one hyperparameter of a grid search: its values are whole configurations."""
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""What differs from one process to the next in the representation of an object."""


@dataclass(frozen=True)
class When:
    """A hyperparameter that exists only where another one has some of its values.

    "layers": tune.choice([1, 2, 3]),
    "units_2": When("layers", (2, 3), tune.choice([64, 128])),
    """

    parameter: str
    """A `tune.choice` of the same space, or a `When` that holds one."""
    values: tuple[Any, ...]
    """The values of that one for which this one exists."""
    domain: Any


def domain_of(entry: Any) -> Any:
    """Returns the domain or fixed value of an entry, without its condition."""
    return entry.domain if isinstance(entry, When) else entry


def is_active(name: str, space: Space, config: dict[str, Any]) -> bool:
    """Returns whether `name` exists in that configuration."""
    entry = space[name]
    if not isinstance(entry, When):
        return True
    return is_active(entry.parameter, space, config) and config.get(entry.parameter) in entry.values


def active(space: Space, config: dict[str, Any]) -> dict[str, Any]:
    """Returns a search's configuration as a trial takes it: flat, in the space's order, only with what exists in it.

    Integers and steps are kept here, since some searches drop them.
    """
    flat = _flat(space, config)
    return {name: _kept(space[name], flat[name]) for name in space if name in flat and is_active(name, space, flat)}


def _flat(space: Space, config: dict[str, Any]) -> dict[str, Any]:
    """Dissolves a grid's combination and HyperOpt's branches {layers: {layers: 2, units_2: 64}}, and no value."""
    parents = {entry.parameter for entry in space.values() if isinstance(entry, When)}
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if name == COMBINATION and name not in space:
            flat |= _flat(space, value)
        elif name in parents and isinstance(value, dict) and name in value and not _is_value_of(space[name], value):
            flat |= {name: value[name]} | _flat(space, {k: v for k, v in value.items() if k != name})
        else:
            flat[name] = value
    return flat


def _is_value_of(entry: Any, value: Any) -> bool:
    domain = domain_of(entry)
    return bool(value in domain.categories if isinstance(domain, Categorical) else value == domain)


def _kept(entry: Any, value: Any) -> Any:
    """Returns a value as its domain has it: rounded to a step, an integer where the domain is one of integers."""
    value = value.item() if isinstance(value, np.generic) else value
    domain = domain_of(entry)
    if isinstance(domain, Float | Integer) and isinstance(value, int | float):
        if step := _step(domain):
            low, high = ends(domain)
            value = min(max(float(np.round(value / step)) * step, low), high)
        return domain.cast(value)
    return value


def _step(domain: Domain) -> float | None:
    sampler = domain.get_sampler()
    return float(sampler.q) if isinstance(sampler, Quantized) else None


def combinations(space: Space) -> list[dict[str, Any]]:
    """Returns every configuration of a space of choices, each once, the last entry of the space varying fastest."""
    values = [list(d.categories) if isinstance(d := domain_of(e), Categorical) else [d] for e in space.values()]
    every = (active(space, dict(zip(space, chosen, strict=True))) for chosen in product(*values))
    return list({repr(config): config for config in every}.values())


def settled(space: Space) -> Space:
    """Returns the same space without the conditions on hyperparameters that are fixed in it."""
    found: Space = {}
    for name, entry in space.items():
        parent = domain_of(found.get(entry.parameter)) if isinstance(entry, When) else None
        if not isinstance(entry, When) or isinstance(parent, Domain):
            found[name] = entry
        elif entry.parameter in found and parent in entry.values:
            found[name] = entry.domain
    return found


def ends(domain: Any) -> list[Any]:
    """Returns the values at which a rule for the whole domain has to be tried; infinite ones for `tune.randn`."""
    if isinstance(domain, Categorical):
        return list(domain.categories)
    if isinstance(domain, Float):
        return [domain.lower, domain.upper]
    if isinstance(domain, Integer):
        step = _step(domain) or 1
        if step == 1:
            return [domain.lower, domain.upper - 1]
        return [int(np.ceil(domain.lower / step) * step), int(np.floor(domain.upper / step) * step)]
    return [] if isinstance(domain, Domain) else [domain]


def example(space: Space) -> dict[str, Any]:
    """Returns one configuration of the space: the first choices, the lower ends, the means of normal distributions."""
    return active(space, {name: _example_of(domain_of(entry)) for name, entry in space.items()})


def variants(space: Space, names: Iterable[str]) -> list[dict[str, Any]]:
    """Returns that configuration, and one for each other value at which a rule for one of `names` has to be tried."""
    first = {name: _example_of(domain_of(entry)) for name, entry in space.items()}
    changed = [first | {name: value} for name in names for value in ends(domain_of(space[name]))]
    return list({repr(config): config for config in (active(space, one) for one in (first, *changed))}.values())


def _example_of(domain: Any) -> Any:
    sampler = _sampler(domain) if isinstance(domain, Domain) else None
    return sampler.mean if isinstance(sampler, Normal) else ends(domain)[0]


def _sampler(domain: Domain) -> Any:
    """Returns what draws from the domain, before a value is rounded to a step."""
    sampler = domain.get_sampler()
    return sampler.sampler if isinstance(sampler, Quantized) else sampler


def check_space(space: Space) -> None:
    """Raises ValueError for what no search can draw from: bounds in the wrong order, or a choice of nothing, say."""
    for name, entry in space.items():
        if not isinstance(name, str):
            raise ValueError(f"a hyperparameter's name must be text, not {name!r}")
        domain = domain_of(entry)
        if isinstance(domain, Function | dict):
            hint = "; for a grid, give tune.choice and search grid" if "grid_search" in repr(domain) else ""
            raise ValueError(f"{name} must be a range, a choice or a value, not {domain!r}{hint}")
        if isinstance(domain, Categorical) and not domain.categories:
            raise ValueError(f"{name} is a choice of nothing")
        if isinstance(domain, Float | Integer):
            _check_range(name, domain)
        if isinstance(entry, When):
            _check_condition(name, entry, space)


def _check_range(name: str, domain: Float | Integer) -> None:
    sampler = _sampler(domain)
    if isinstance(sampler, Normal):
        return
    if not -np.inf < domain.lower < domain.upper < np.inf:
        raise ValueError(f"{name} must have a lower bound below its upper, not {domain.lower}, {domain.upper}")
    if isinstance(sampler, LogUniform) and domain.lower <= 0:
        raise ValueError(f"{name} is on a log scale and must have bounds above 0, not {domain.lower}")
    if ends(domain)[0] > ends(domain)[1]:
        raise ValueError(f"{name} has no multiple of {_step(domain):g} between {domain.lower} and {domain.upper}")


def _check_condition(name: str, entry: When, space: Space) -> None:
    parent = domain_of(space.get(entry.parameter))
    if entry.parameter in space and not isinstance(parent, Domain):
        return  # it is fixed: the condition holds or not, once and for all
    if not isinstance(parent, Categorical):
        raise ValueError(f"{name} depends on {entry.parameter}, which must be a tune.choice of the same space")
    if list(space).index(entry.parameter) >= list(space).index(name):
        raise ValueError(f"{name} depends on {entry.parameter}, which must come before it in the space")
    strangers = [value for value in entry.values if value not in parent.categories]
    if strangers:
        raise ValueError(f"{name} depends on {entry.parameter} = {strangers[0]!r}, which is none of its choices")


def as_text(entry: Any) -> Any:
    """Returns an entry for run.json: a fixed value as JSON has it, else a text that is the same in every process."""
    if isinstance(entry, When):
        return f"when {entry.parameter} in {_representation(list(entry.values))}: {as_text(entry.domain)}"
    if isinstance(entry, Domain):
        bounds = {k: v for k, v in vars(entry).items() if k in ("lower", "upper", "categories")}
        return f"{type(entry).__name__.lower()} {_sampler_text(entry.get_sampler())} {_representation(bounds)}"
    return json.loads(json.dumps(entry, default=_plain))


def _sampler_text(sampler: Any) -> str:
    if isinstance(sampler, Quantized):
        return f"{_sampler_text(sampler.sampler)} in steps of {sampler.q}"
    if isinstance(sampler, Normal):
        return f"Normal with mean {sampler.mean} and deviation {sampler.sd}"
    return _representation(sampler, str(sampler))


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") and getattr(value, "size", 0) == 1 else _representation(value)


def _representation(value: Any, text: str | None = None) -> str:
    return ADDRESS.sub("", repr(value) if text is None else text)
