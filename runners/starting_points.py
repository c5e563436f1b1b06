"""Configurations that a search is to try first, brought into the space that is searched now."""

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from ray.tune.search.sample import Categorical, Domain, Float, Integer

from tautune.runners.suggestions import plain
from tautune.search_spaces.space import Space, active, domain_of, ends, is_active

Config = dict[str, Any]
LARGEST = sys.float_info.max
"""Largest number of a range without bounds: that of a float."""


def fitted(space: Space, points: Sequence[Config], seed: int) -> tuple[list[Config], list[str]]:
    """Returns the points as configurations of the space, each once, and what did not fit, in lines.

    A value that does not fit is left out, and what is missing then is drawn at random, as a search would do it.
    """
    random, misfits = np.random.RandomState(seed), Counter[str]()
    found: list[Config] = []
    for point in points:
        reasons = {name: misfit(space, name, value) for name, value in point.items()}
        misfits.update(f"{reason}; left out" for reason in reasons.values() if reason)
        own = {name: value_in(domain_of(space[name]), point[name]) for name, reason in reasons.items() if not reason}
        if not any(_is_open(space, name) for name in own):
            misfits["nothing else of it fits; left out"] += 1
            continue
        config = active(space, _drawn(space, random) | own)
        missing = (name for name in config if name not in own and _is_open(space, name))
        misfits.update(f"{name} is missing; drawn at random" for name in missing)
        if (known := plain(config)) not in found:
            found.append(known)
    return found, [f"{reason} ({count} of {len(points)})" for reason, count in misfits.items()]


def searched_part(space: Space, point: Config) -> Config:
    """Returns what a search chooses in a configuration: the values that exist in it, as their domains have them."""
    inside = {name: value for name, value in point.items() if name in space and _is_open(space, name)}
    known = inside | {name: entry for name, entry in space.items() if not _is_open(space, name)}
    return {
        name: value_in(domain_of(space[name]), value) for name, value in inside.items() if is_active(name, space, known)
    }


def misfit(space: Space, name: str, value: Any) -> str:
    """Returns why a value cannot be that of a hyperparameter; nothing if it can."""
    if name not in space:
        return f"{name} is not in the space"
    domain = domain_of(space[name])
    if not isinstance(domain, Domain):
        return "" if plain(domain) == plain(value) else f"{name} is fixed to {domain}"
    if isinstance(domain, Categorical):
        there = any(plain(category) == plain(value) for category in domain.categories)
        return "" if there else f"{name} = {value!r} is none of its choices"
    low, high = ends(domain) if isinstance(domain, Float | Integer) else (-LARGEST, LARGEST)
    low, high = max(low, -LARGEST), min(high, LARGEST)  # a normal distribution has no bounds
    number = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    whole = number and (isinstance(domain, Float) or value == int(value))
    return "" if whole else f"{name} = {value!r} is outside of {low} to {high}"


def value_in(domain: Any, value: Any) -> Any:
    """Returns a value that came from JSON as the domain has it: a choice may be a tuple."""
    if isinstance(domain, Categorical):
        return next(category for category in domain.categories if plain(category) == plain(value))
    return domain.cast(value) if isinstance(domain, Domain) else domain


def _is_open(space: Space, name: str) -> bool:
    return isinstance(domain_of(space[name]), Domain)


def _drawn(space: Space, random: np.random.RandomState) -> Config:
    domains = {name: domain_of(entry) for name, entry in space.items()}
    return {name: d.sample(random_state=random) if isinstance(d, Domain) else d for name, d in domains.items()}
