"""The remedies of a training by name. Nothing here imports torch or Ray."""

from typing import NamedTuple


class Number(NamedTuple):
    """What follows a remedy's name."""

    letter: str
    whole: bool
    needed: bool


NUMBERS: dict[str, Number | None] = {
    "predict": Number("T", whole=False, needed=False),
    "delay-compensation": Number("λ", whole=False, needed=False),
    "gap-aware": None,
    "delay-adaptive": Number("M", whole=True, needed=True),
    "staleness-aware": None,
    "pipemare": Number("K", whole=True, needed=True),
    "discard-stale": Number("R", whole=True, needed=True),
}
"""The remedies, each with the number that it has: `trainables/delay/remedies/` says what it means."""


def parse_remedy(text: str) -> tuple[str, float | None]:
    """Returns the name and the number of a remedy, such as predict:8; None where it has none.

    Raises:
        ValueError: there is no such remedy, or its number is left out, negative, or no whole one.
    """
    name, _, number = str(text).partition(":")
    rule = NUMBERS.get(name)
    if name in NUMBERS and not number and not (rule and rule.needed) and ":" not in str(text):
        return name, None
    try:
        value = int(number) if rule and rule.whole else float(number)
    except ValueError:
        value = -1
    if rule is None or not int(rule.whole) <= value < float("inf"):
        raise ValueError(f"remedy must be none, {', '.join(map(_spelt, NUMBERS))}, not {text!r}")
    return name, value


def _spelt(name: str) -> str:
    rule = NUMBERS[name]
    if rule is None:
        return name
    return f"{name}:{rule.letter}" if rule.needed else f"{name}[:{rule.letter}]"
