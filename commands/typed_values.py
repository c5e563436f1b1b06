"""What is typed for hyperparameters, points and limits, as values."""

import json
from typing import Any

from tautune.records.errors import InputError


def parse_limits(texts: list[str]) -> dict[str, Any]:
    """Returns limits by name: each text is NAME=NUMBER."""
    found: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = None
        if not name or found[name] is None:
            raise InputError(f"--at-most takes NAME=NUMBER, as in --at-most epoch_seconds=2, not {text!r}")
    return found


def parse_point(text: str) -> dict[str, Any]:
    """Returns a configuration, or a part of one, from JSON."""
    try:
        point = json.loads(text, parse_constant=_no_number)
    except (json.JSONDecodeError, RecursionError):
        point = None
    if not isinstance(point, dict) or not point:
        raise InputError(f"""--point takes a configuration as JSON, such as {{"learning_rate": 0.1}}, not {text!r}""")
    return point


def _no_number(text: str) -> None:
    raise InputError(f"--set and --point take finite numbers, not {text}")


def parse_set(texts: list[str]) -> dict[str, Any]:
    """Returns the values by name: each text is NAME=VALUE, the value JSON (8, 0.1, true, null) or else a word."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"--set takes NAME=VALUE, as in --set delay=8, not {text!r}")
        try:
            found[name] = json.loads(value, parse_constant=_no_number)
        except json.JSONDecodeError:
            found[name] = value
    return found
