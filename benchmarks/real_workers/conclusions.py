"""How far the thresholds that were measured are from each prediction."""

from typing import Any

from benchmarks.real_workers.ages import SUMMARIES

Json = dict[str, Any]
PREDICTIONS = (*SUMMARIES, "drawn independently", "in this order")
"""What is compared: the summaries of the ages, and the recursion with the ages in random order and as they came."""


def error(row: Json, name: str) -> float:
    """Returns how far the measured threshold is above a predicted one, relative to that."""
    return float(row["measured"] / row["predicted"][name] - 1)


def name_of(row: Json) -> str:
    """Returns the workers of a row in words."""
    return f"{row['workers']}{', one slow' if row['slowdown'] > 1 else ''}"
