"""What the trainings say of advise's ranking: rank correlations, and each of theory's claims beside its outcome."""

import statistics
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import spearmanr

from benchmarks.outcomes.cells import best_rate
from tautune.trainables.theory.optimizer_names import PRECONDITIONED

Json = dict[str, Any]
Choice = Callable[[Json], bool]
GROUPS: dict[str, Choice] = {
    "all": lambda row: True,
    "SGD and its kin": lambda row: row["optimizer"] not in PRECONDITIONED,
    "Adam and its kin": lambda row: row["optimizer"] in PRECONDITIONED,
    "all but compensation": lambda row: "compensate" not in row["remedy"],
    "no remedy": lambda row: row["remedy"] == "none",
}
"""Among which rows the ranking is compared."""
SCORES: dict[str, Callable[[Json], float]] = {
    "advise's order": lambda row: row["rank"],
    "threshold": lambda row: -row["threshold_at_unit_gain"],
    "decay": lambda row: row["decay"],
}
"""What a ranking goes by; the smaller, the better."""
SAME = 0.05
"""Relative difference of thresholds, or of losses, below which there is no claim, or no outcome."""


class Claim(NamedTuple):
    """That one row has a larger or a smaller threshold than another with the same curvature, and what came of it."""

    delay: int
    what: str
    against: str
    predicted: float
    """Threshold at unit gain, over the other's."""
    measured: float
    """Mean final loss, over the other's."""
    verdict: str
    """agrees, contradicts, or undecided where the seeds do not agree or the losses are alike."""


def final(row: Json) -> list[float]:
    """Returns each seed's final loss at the best learning rate."""
    losses: list[float] = best_rate(row["rates"])["losses"]
    return losses


def mean(row: Json) -> float:
    return statistics.fmean(final(row))


def spread(row: Json) -> float:
    """Returns the standard deviation of the seeds' final losses."""
    losses = final(row)
    return statistics.stdev(losses) if len(losses) > 1 else 0.0


def correlations(rows: Sequence[Json]) -> list[Json]:
    """Returns Spearman's rank correlation of theory's scores with the final losses; 1 is a perfect prediction."""
    found = []
    for delay in sorted({row["delay"] for row in rows}):
        for group, chosen in GROUPS.items():
            own = [row for row in rows if row["delay"] == delay and chosen(row)]
            if len(own) < 3:
                continue
            for score, value in SCORES.items():
                scores = [value(row) for row in own]
                by_seed = [spearman(scores, losses) for losses in np.transpose([final(row) for row in own]).tolist()]
                found.append(
                    {
                        "delay": delay,
                        "group": group,
                        "score": score,
                        "rows": len(own),
                        "correlation": spearman(scores, [mean(row) for row in own]),
                        "lowest_and_highest_seed": [min(by_seed), max(by_seed)],
                    }
                )
    return found


def spearman(scores: Sequence[float], losses: Sequence[float]) -> float:
    """Returns the rank correlation; 0 where one of them is the same throughout."""
    if len(set(scores)) == 1 or len(set(losses)) == 1:
        return 0.0
    return float(spearmanr(scores, losses).statistic)


def claims(rows: Sequence[Json]) -> list[Claim]:
    """Returns what theory says of each remedy against none, and of each optimizer against the one without momentum."""
    by_name = {(row["delay"], row["optimizer"], row["remedy"].partition(":")[0]): row for row in rows}
    found = []
    for (delay, optimizer, remedy), row in by_name.items():
        plain = "rmsprop" if optimizer in PRECONDITIONED else "sgd"
        if remedy != "none":
            other = by_name.get((delay, optimizer, "none"))
        else:
            other = by_name.get((delay, plain, "none")) if optimizer != plain else None
        if other is not None:
            found.append(claim(row, other))
    return found


def claim(row: Json, other: Json) -> Claim:
    """Returns theory's claim about two rows of one delay, and what came of it."""
    predicted = row["threshold_at_unit_gain"] / other["threshold_at_unit_gain"]
    ratios = [mine / theirs for mine, theirs in zip(final(row), final(other), strict=True)]
    measured = mean(row) / mean(other)
    larger, better = predicted > 1, measured < 1
    seeds_agree = all(ratio < 1 for ratio in ratios) or all(ratio > 1 for ratio in ratios)
    decided = abs(predicted - 1) > SAME and abs(measured - 1) > SAME and seeds_agree
    verdict = ("agrees" if larger == better else "contradicts") if decided else "undecided"
    what, against = (f"{r['optimizer']}, {r['remedy']}" for r in (row, other))
    return Claim(row["delay"], what, against, predicted, measured, verdict)


def best_factors(rows: Sequence[Json]) -> list[Json]:
    """Returns where the best learning rates lie, in units of theory's threshold: their median, lowest and highest."""
    found = []
    for delay in sorted({row["delay"] for row in rows}):
        factors = [best_rate(row["rates"])["factor"] for row in rows if row["delay"] == delay]
        edge = sum(is_at_edge(row) for row in rows if row["delay"] == delay)
        found.append(
            {
                "delay": delay,
                "median": statistics.median(factors),
                "lowest": min(factors),
                "highest": max(factors),
                "rows": len(factors),
                "at_edge": edge,
            }
        )
    return found


def is_at_edge(row: Json) -> bool:
    """Returns whether the best learning rate is the lowest or the highest that was tried."""
    best = best_rate(row["rates"])
    return best["factor"] in (row["rates"][0]["factor"], row["rates"][-1]["factor"])
