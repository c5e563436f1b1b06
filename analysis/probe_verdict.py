"""What a probe has found, in sentences: for the terminal, and for the head of its page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tautune.analysis.method_names import in_words
from tautune.analysis.probe import LONGEST_DELAY
from tautune.analysis.verdicts import rounded_down

if TYPE_CHECKING:
    from tautune.analysis.probe import Probe, ProbeRow

LISTED = 6
"""Delays that a sentence names one by one, at most."""


def verdict_of(found: Probe) -> str:
    """Returns all that follows for this run, in one sentence."""
    clauses = [_safety(found), _tolerated(found), _remedy(found)]
    return "; ".join(clause for clause in clauses if clause) + "."


def said(found: Probe) -> list[str]:
    """Returns what follows for this run in a sentence a line, with the code of the best remedy."""
    noise = "" if found.noise is None else "r: the variance of the curvature between batches over its mean's square"
    lines = [noise, _safety(found), _tolerated(found)]
    if best := found.best_remedy:
        lines += [f"{_remedy(found)}:", best.code]
    return [line for line in lines if line]


def _safety(found: Probe) -> str:
    asked = found.rows[: found.asked]
    if found.margin is None:
        lowest = min(row.limit for row in asked)
        return f"keep η of {found.optimizer} below {rounded_down(lowest)} at {_delays(asked)}"
    unsafe = [row for row in asked if not row.safe]
    run = f"{found.optimizer} at η = {found.learning_rate:g}"
    if unsafe:
        return f"{run} is not safe at {_delays(unsafe)}: it must shrink to {found.margin:.3g} of itself"
    return f"{run} is safe at {_delays(asked)}: it may grow {found.margin:.3g}-fold"


def _tolerated(found: Probe) -> str:
    largest = found.largest_delay
    if found.margin is None:
        return ""
    if largest is None:
        return "this learning rate is not safe without a delay either"
    if not largest:
        return "this learning rate tolerates no delay"
    fixed = "fixed " if any(isinstance(row.delay, str) for row in found.rows[: found.asked]) else ""
    more = " and more" if largest == LONGEST_DELAY else ""
    return f"this learning rate tolerates {fixed}delays up to {largest}{more}"


def _remedy(found: Probe) -> str:
    best = found.best_remedy
    if not best:
        return ""
    remedy = "" if best.remedy == "none" else f" with {best.remedy}"
    return f"{in_words(best.optimizer)}{remedy} is stable at {found.remedy_gain:.3g} times the step"


def _delays(rows: Sequence[ProbeRow]) -> str:
    """Returns the delays of some rows as a sentence has them."""
    names = [str(row.delay) for row in rows]
    if len(names) == 1:
        return in_steps(rows[0].delay)
    if len(names) > LISTED:
        return f"{len(names)} delays from {names[0]} to {names[-1]}"
    return f"delays {', '.join(names[:-1])} and {names[-1]}"


def in_steps(delay: int | str) -> str:
    """Returns a delay, or the description of delays that vary, as a sentence has it."""
    return f"delays of {delay}" if isinstance(delay, str) else f"delay {delay}"
