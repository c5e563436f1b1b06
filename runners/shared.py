"""Parts that sweeps and grids share: checks, whose messages begin with the parameter's name, and the folder's name."""

import math
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

from tautune.trainables.theory.momentum import Momentum

LONGEST = 10**6
"""Upper limit of delays in steps, itself excluded: a measurement takes hundreds of steps for each step of delay."""


def check(name: str, value: object, holds: bool, rule: str) -> None:
    """Raises ValueError, which quotes `rule`, unless it holds; a number that is not finite breaks every rule."""
    if not holds or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{name} must be {rule}, not {value!r}")


def check_types(values: object, *, integers: Sequence[str] = (), numbers: Sequence[str] = ()) -> None:
    """Raises ValueError unless the named attributes of `values` are integers, or numbers, or None."""
    for name in (*integers, *numbers):
        value, kind = getattr(values, name), Integral if name in integers else Real
        if value is not None and (isinstance(value, bool) or not isinstance(value, kind)):
            raise ValueError(f"{name} must be {'an integer' if name in integers else 'a number'}, not {value!r}")


def check_delays(delays: Sequence[int]) -> None:
    """Raises ValueError unless there is at least one delay and each is an integer from 0 to below a million."""
    if not delays:
        raise ValueError("delays must hold at least one delay, as in 0,1,2,4,8")
    for delay in delays:
        if isinstance(delay, bool) or not isinstance(delay, int) or not 0 <= delay < LONGEST:
            raise ValueError(f"delays must be integers ≥ 0 and below a million; {delay!r} is not")


def as_integers(values: Iterable[Any]) -> list[Any]:
    """Returns numpy's integers as Python's, and everything else as it is, for a check to judge.

    Raises:
        ValueError: `values` is not a list.
    """
    if not isinstance(values, Iterable) or isinstance(values, str):
        raise ValueError(f"delays must be a list of integers, such as [0, 1, 2, 4, 8], not {values!r}")
    return [int(value) if isinstance(value, Integral) and not isinstance(value, bool) else value for value in values]


def as_rates(rates: Iterable[float] | int) -> tuple[float, ...] | int:
    """Returns a number of learning rates as an integer, and learning rates in ascending order, each once.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(rates, int | Integral):
        return int(rates)
    try:
        return tuple(sorted({float(rate) for rate in rates}))
    except (TypeError, ValueError):
        raise ValueError(f"learning_rates must be a count or a list such as [0.1, 0.3], not {rates!r}") from None


def check_mini_batch(mini_batch: int | None, study: str, examples: int) -> None:
    """Raises ValueError unless a mini-batch holds between one example and all of them."""
    if mini_batch is not None and not 1 <= mini_batch <= examples:
        raise ValueError(f"mini_batch must be between 1 and the {examples} examples of {study}, not {mini_batch}")


def folder_name(study: str, momentum: Momentum, mini_batch: int | None) -> str:
    """Returns the name of a run's folder, such as digits-shifted-0.9-batch-256."""
    kind = f"-{'shifted' if momentum.shifted else 'momentum'}-{momentum.value:g}" if momentum.value else ""
    return study + kind + (f"-batch-{mini_batch}" if mini_batch else "")
