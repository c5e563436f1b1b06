"""The numbers in what a loop reports."""

from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

from ray.tune.result import AUTO_RESULT_KEYS, DONE, SHOULD_CHECKPOINT

from tautune.trainables.goal import COLUMNS

RAYS_OWN = {*AUTO_RESULT_KEYS, DONE, SHOULD_CHECKPOINT, "trial_id"}
"""What Ray Tune adds to a report."""


def scores_of(reported: Mapping[str, Any]) -> dict[str, float]:
    """Returns the numbers that were reported by their names; those of a nested dict as a/b.

    One whose name is a column of trials.csv is named reported/NAME.
    """
    mine = {name: value for name, value in reported.items() if name not in RAYS_OWN}
    return {f"reported/{name}" if name in COLUMNS else name: value for name, value in _numbers(mine, "")}


def _numbers(values: Mapping[str, Any], above: str) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{above}{name}/")
            continue
        plain = value.item() if getattr(value, "size", 0) == 1 and hasattr(value, "item") else value
        if isinstance(plain, Real):
            yield f"{above}{name}", int(plain) if isinstance(plain, int) else float(plain)
