"""A search space as run.json keeps it: what its texts say, without the study, whose code need not run to be asked."""

import ast
import re
from dataclasses import dataclass
from typing import Any

TEXT = re.compile(
    r"(?:when (?P<parent>.+?) in (?P<values>\[.*?\]): )?"
    r"(?P<kind>float|integer|categorical) (?P<how>.*?) ?(?P<rest>\{.*\})"
)
"""A domain's text: see `as_text` in `tautune.search_spaces.space`."""


@dataclass(frozen=True)
class Searched:
    """What a search drew a hyperparameter from."""

    kind: str
    """float, integer or categorical."""
    low: float | None = None
    high: float | None = None
    """Ends of a range, both in it; None for those of a normal distribution, and for choices."""
    log: bool = False
    choices: tuple[Any, ...] | None = None
    """None where they are no plain values, such as functions."""
    condition: str | None = None
    """`layers in [2, 3]`, where it exists under that condition only."""


def searched(space: dict[str, Any]) -> dict[str, Searched]:
    """Returns the hyperparameters that were searched, those with a fixed value left out."""
    found = {name: _read(text) for name, text in space.items() if isinstance(text, str)}
    return {name: entry for name, entry in found.items() if entry is not None}


def _read(text: str) -> Searched | None:
    match = TEXT.fullmatch(text)
    if match is None:
        return None
    condition = f"{match['parent']} in {match['values']}" if match["parent"] else None
    if match["kind"] == "categorical":
        return Searched("categorical", choices=_choices(match["rest"]), condition=condition)
    bounds = re.search(r"'lower': ([^,}]+), 'upper': ([^,}]+)", match["rest"])
    if bounds is None or "inf" in bounds[0]:
        return Searched(match["kind"], condition=condition)
    low, high = map(float, bounds.groups())
    stepped = "in steps of" in match["how"]
    last = high if match["kind"] == "float" or stepped else high - 1  # Ray's integers end before their upper bound
    return Searched(match["kind"], low, last, "LogUniform" in match["how"], condition=condition)


def _choices(text: str) -> tuple[Any, ...] | None:
    try:
        return tuple(ast.literal_eval(text)["categories"])
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError):
        return None
