"""What a trial is called everywhere: its number, and a word for each hyperparameter that tells it from the others.

Terminal, TensorBoard and report use the same names, such as `07 adam η=4.5e-2 bs=64`. The number alone makes a name
unique; the words are for the reader. A name is safe as that of a file and of a TensorBoard run.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from tautune.records.kept_space import Searched, searched
from tautune.trainables.supervised.hyperparameters import MUTABLE

FIRST = ("optimizer", "learning_rate", "lr", "delay", "batch_size")
"""What a reader looks for first; other hyperparameters follow in the order of the space."""
LETTERS = {"learning_rate": "η", "lr": "η", "normalized_rate": "ρ", "delay": "τ", "momentum": "m", "batch_size": "bs"}
"""The short names that the field has for some hyperparameters; `shorten` makes those of all others."""
TELLING = ("optimizer", "model", "network", "schedule", "activation", "algorithm")
"""Hyperparameters whose values, where they are words, say by themselves what they are the value of."""
POPULATION = ("pbt", "pb2")
"""Schedulers that change a trial's hyperparameters while it trains."""
WHOLE, CUT = 8, 5
"""Letters of a single word that is kept whole, and of what is left of a longer one."""
VALUE_WIDTH = 11
"""Characters of a value at most: of a longer text, the beginning and the end are left."""
WIDTH = 48
"""Characters of a name at most, so that it fits into a column; words that do not are left out, the last ones first."""


def trial_name(number: int | str, config: Mapping[str, Any], varying: Sequence[str]) -> str:
    """Returns the name of a trial: its number, and what it has of the hyperparameters that vary.

    Args:
        number: the trial's number, or what it is called if tautune wrote it before trials had numbers.
        config: its hyperparameters. Those that do not exist in it are left out of the name.
        varying: the hyperparameters that differ between the trials of the run, the same for all of them.
    """
    name = numbered(number) if isinstance(number, int) else safe(number)
    short = shorten(varying)
    for parameter in sorted(varying, key=_place):
        if parameter not in config:
            continue
        word = _word(parameter, short[parameter], config[parameter])
        if len(name) + len(" …") + 1 + len(word) > WIDTH:
            return f"{name} …"
        name = f"{name} {word}"
    return name


def _place(parameter: str) -> int:
    return FIRST.index(parameter) if parameter in FIRST else len(FIRST)


def numbered(number: int) -> str:
    """Returns a trial's number as it is written, with two digits at least."""
    return f"{number:02d}"


def varying_in(configuration: Mapping[str, Any]) -> list[str]:
    """Returns the hyperparameters that tell the trials of a tuning apart, in the order of its space.

    What a population changes while a trial trains is left out: the trial's name stays.

    Args:
        configuration: that of run.json.
    """
    names = [name for name, entry in searched(configuration["space"]).items() if entry.condition or _has_several(entry)]
    if configuration.get("scheduler") not in POPULATION:
        return names
    is_loop = "metric" in configuration and "task" not in configuration
    return [] if is_loop else [name for name in names if name not in MUTABLE]


def _has_several(entry: Searched) -> bool:
    if entry.choices is not None:
        return len(entry.choices) > 1
    return entry.low is None or entry.low != entry.high


def varying_among(configs: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns the hyperparameters that do not have the same value in every configuration, in their order."""
    every = list(configs)
    names = dict.fromkeys(name for config in every for name in config)
    return [name for name in names if len({repr(config[name]) if name in config else None for config in every}) > 1]


def shorten(names: Sequence[str]) -> dict[str, str]:
    """Returns a short name for each hyperparameter: no two are the same, and they depend on `names` alone."""
    wished = {name: LETTERS.get(name) or _abbreviation(name) for name in names}
    count = Counter(wished.values())
    short: dict[str, str] = {}
    for name, text in wished.items():
        text = text if count[text] == 1 else safe(name)
        while text in short.values() or (text != wished[name] and text in count):
            text += "+"
        short[name] = text
    return short


def _abbreviation(name: str) -> str:
    """Returns the initials of several words, with their numbers, or the beginning of one."""
    last = re.split(r"[/.]", name.rstrip("/."))[-1]
    words = [word for word in re.split(r"[\W_]+", last) if word]
    if len(words) > 1 and not words[0][0].isdigit():
        return "".join(word if word.isdigit() else word[0] for word in words)
    text = safe(name if last.isdigit() else last)
    return text if len(text) <= WHOLE else text[:CUT]


def _word(parameter: str, short: str, value: Any) -> str:
    text = value_text(value)
    bare = parameter in TELLING and isinstance(value, str) and text[0].isalpha() and text != "none"
    return text if bare else f"{short}={text}"


def value_text(value: Any) -> str:
    """Returns a hyperparameter's value in a few characters: two significant digits, the ends of a long text."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, list | tuple):
        return _ends("-".join(value_text(item) for item in value) or "empty")
    if isinstance(value, str):
        return _ends(safe(PurePosixPath(value).name if "/" in value else value))
    return _ends(safe(getattr(value, "__name__", None) or str(value)))


def _number(value: float) -> str:
    if isinstance(value, int) and abs(value) < 10**7:
        return str(value)
    if 0.1 <= abs(value) < 10**4:
        return f"{value:.2g}" if abs(value) < 10 else f"{value:.4g}"
    if value == 0:
        return "0"
    digits, _, power = f"{value:.1e}".partition("e")
    return f"{digits.removesuffix('.0')}e{int(power)}" if power else digits


def _ends(text: str) -> str:
    half = (VALUE_WIDTH - 1) // 2
    return text if len(text) <= VALUE_WIDTH else f"{text[:half]}…{text[-half:]}"


def safe(text: str) -> str:
    """Returns a text of letters, digits and . _ - + alone, with no dot at its beginning; "unnamed" if none is left."""
    return re.sub(r"[^\w.+-]+", "-", text).lstrip(".").strip("-") or "unnamed"
