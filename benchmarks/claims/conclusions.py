"""What the trainings say of the paper's claims: each holds, fails, or is undecided where differences are small.

A row is one kind of momentum at one delay, or the large batches of one throughput; it has all learning rates.
"""

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]
ACCURACIES = "test_accuracies"
"""What is compared: accuracies on examples by which nothing was chosen."""
POINT = 0.01
"""How far an accuracy may be below another that it should equal."""
SAME = 0.005
"""Difference of two mean accuracies up to which neither is better."""


class Verdict(NamedTuple):
    """One claim at one delay."""

    claim: str
    delay: int
    difference: float
    """Mean over the seeds, of what the claim is about less what it is compared with."""
    spread: float
    """Its standard deviation over the seeds."""
    verdict: str
    """holds, fails or undecided."""


def by_way(row: Json, way: str) -> list[float]:
    """Returns each seed's accuracy at the learning rate that was found in a way; `tuned` is the best on validation."""
    rates = row["rates"]
    chosen = best(rates) if way == "tuned" else next(rate for rate in rates if way in rate["ways"])
    accuracies: list[float] = chosen[ACCURACIES]
    return accuracies


def best(rates: Sequence[Json]) -> Json:
    """Returns the learning rate of the best mean validation accuracy; of several the smallest."""
    return max(rates, key=lambda rate: (statistics.fmean(rate["validation_accuracies"]), -rate["learning_rate"]))


def compared(this: Sequence[float], other: Sequence[float]) -> tuple[float, float, bool]:
    """Returns mean and spread of the seeds' differences, and whether all seeds agree on the sign."""
    differences = [mine - theirs for mine, theirs in zip(this, other, strict=True)]
    spread = statistics.stdev(differences) if len(differences) > 1 else 0.0
    agreed = all(each > 0 for each in differences) or all(each < 0 for each in differences)
    return statistics.fmean(differences), spread, agreed


def better(claim: str, delay: int, this: Sequence[float], other: Sequence[float]) -> Verdict:
    """Returns the verdict on a claim that one is more accurate than the other."""
    mean, spread, agreed = compared(this, other)
    decided = agreed and abs(mean) > SAME
    return Verdict(claim, delay, mean, spread, ("holds" if mean > 0 else "fails") if decided else "undecided")


def as_good(claim: str, delay: int, this: Sequence[float], other: Sequence[float]) -> Verdict:
    """Returns the verdict on a claim that one is not less accurate than the other by more than a point."""
    mean, spread, _ = compared(this, other)
    return Verdict(claim, delay, mean, spread, "holds" if mean >= -POINT else "fails")


def whole(found: Json) -> list[int]:
    """Returns the delays of which everything is trained."""
    kinds = {
        delay: {row["kind"] for row in found["rows"] if row["delay"] == delay} for delay in found["plan"]["delays"]
    }
    return [delay for delay, own in kinds.items() if own == {"none", "momentum", "shifted", "large"}]


def verdicts(found: Json) -> list[Verdict]:
    """Returns the paper's claims about accuracy at each delay, in the order of docs/claims.md."""
    rows = {(row["kind"], row["delay"]): row for row in found["rows"]}
    small = {kind: by_way(rows[kind, 0], "tuned") for kind in ("none", "momentum")}
    concluded = []
    for delay in whole(found):
        none, momentum, shifted = (rows[kind, delay] for kind in ("none", "momentum", "shifted"))
        large = by_way(rows["large", delay], "tuned")
        kept, scaled = by_way(none, "kept"), by_way(none, "usable")
        by_rule = [by_way(row, "usable") for row in (none, momentum, shifted)]
        tuned = [by_way(row, "tuned") for row in (none, momentum, shifted)]
        concluded += [
            better("kept, below small batches", delay, small["none"], kept),
            as_good("scaled, as good as small batches", delay, scaled, small["none"]),
            as_good("scaled, as good as large batches", delay, scaled, large),
            better("no momentum, better than momentum, scaled", delay, by_rule[0], by_rule[1]),
            better("no momentum, better than momentum, tuned", delay, tuned[0], tuned[1]),
            better("shifted, better than momentum, scaled", delay, by_rule[2], by_rule[1]),
            better("shifted, better than momentum, tuned", delay, tuned[2], tuned[1]),
            better("shifted, better than no momentum, tuned", delay, tuned[2], tuned[0]),
        ]
    return concluded
