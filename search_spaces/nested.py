"""Nested dictionaries of a space, as names with slashes: {"optimizer": {"lr": …}} has the hyperparameter optimizer/lr.

Ray Tune's own examples nest. Columns, searches and options know flat names, and the loop is given what it wrote.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Config = dict[str, Any]
Paths = dict[str, tuple[str, ...]]
"""Flat name → the keys that lead to it, for what is nested."""
GRID = "grid_search"
"""The key of Ray Tune's `grid_search`, which is a dictionary too."""


def flattened(space: Mapping[str, Any], above: tuple[str, ...] = ()) -> tuple[Config, Paths]:
    """Returns the space with flat names, and where each of them stood that was nested.

    Raises:
        ValueError: a key is no text, or two hyperparameters have one flat name.
    """
    flat: Config = {}
    paths: Paths = {}
    for key, entry in space.items():
        if above and not isinstance(key, str):
            raise ValueError(f"a hyperparameter's name must be text, not {key!r} in {'/'.join(above)}")
        path = (*above, key)
        if isinstance(entry, Mapping) and entry and set(entry) != {GRID}:
            inside, deeper = flattened(entry, path)
        else:
            name = "/".join(path) if above else key
            inside, deeper = {name: entry}, {name: path} if above else {}
        if twice := flat.keys() & inside.keys():
            raise ValueError(f"the space has two hyperparameters {min(twice)}: one of them is nested")
        flat |= inside
        paths |= deeper
    return flat, paths


def flat(config: Mapping[str, Any], names: Iterable[str]) -> Config:
    """Returns a configuration with these flat names, whether they are nested in it or not.

    Ray Tune's searches nest what has a slash in its name.
    """
    deep = [name for name in names if "/" in name]
    heads = {name.partition("/")[0] for name in deep}
    found = {name: value for name, value in config.items() if name not in heads or not isinstance(value, Mapping)}
    for head in heads & config.keys() - found.keys():
        known = {name for name in deep if name.startswith(f"{head}/")}
        found |= _inside(config[head], head, known)
    return found


def _inside(value: Any, name: str, known: set[str]) -> Config:
    """Returns what a nested part holds: what is a hyperparameter's name is its value, though it be a dictionary."""
    if name in known or not isinstance(value, Mapping):
        return {name: value}
    return {deep: v for key, part in value.items() for deep, v in _inside(part, f"{name}/{key}", known).items()}


def nested(config: Mapping[str, Any], paths: Paths) -> Config:
    """Returns a flat configuration as the space was written."""
    found: Config = {}
    for name, value in config.items():
        *above, last = paths.get(name, (name,))
        place = found
        for key in above:
            place = place.setdefault(key, {})
        place[last] = value
    return found
