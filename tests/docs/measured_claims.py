"""What the pages on the paper's claims and on real workers say, made from the files that it came from."""

from collections.abc import Iterator
from math import ceil
from statistics import fmean, median

from benchmarks.claims.conclusions import best, by_way, verdicts
from benchmarks.real_workers.conclusions import error
from docs import claim_tables
from tests.docs.measured import listed, percent, read


def stability() -> Iterator[str]:
    found = claim_tables.sweeps()
    apart = {kind: max(abs(p.relative_error) for p in each.points) for kind, each in found.items()}
    assert max(apart.values()) < 1e-4
    yield f"The largest deviation of the 21 thresholds from theory is {percent(max(apart.values()), 4)} %"
    straight = {kind: each.fit()["r_squared"] for kind, each in found.items()}  # type: ignore[index]
    yield f"explains {percent(straight['none'], 3)} % of the variance without momentum"
    shifted, momentum = percent(straight["shifted"], 5), percent(straight["momentum"], 2)
    yield f"{shifted} % with shifted momentum, and {momentum} % with momentum"
    at = {kind: {p.delay: p.measured for p in each.points} for kind, each in found.items()}
    assert all(at["momentum"][τ] < at["none"][τ] for τ in at["none"] if τ >= 2)
    assert all(at["shifted"][τ] > max(at["none"][τ], at["momentum"][τ]) for τ in at["none"] if τ >= 1)
    assert abs(at["momentum"][1] / at["none"][1] - 1) < 1e-4


def accuracy() -> Iterator[str]:
    """Yields what the page says of the trainings: where claims fail, and what the trainings that are tuned came to."""
    found = claim_tables.claims()
    rows = {(row["kind"], row["delay"]): row for row in found["rows"]}
    by_claim = {
        claim: {v.delay: v for v in verdicts(found) if v.claim == claim} for claim in {v.claim for v in verdicts(found)}
    }
    kept = rows["none", 4]["rates"], rows["none", 8]["rates"]
    lost = [sum(rate["diverged"]) for rates in kept for rate in rates if "kept" in rate["ways"]]
    assert lost == [2, 3]
    small, large = (by_claim[f"scaled, as good as {size} batches"] for size in ("small", "large"))
    assert all(small[τ].verdict == large[τ].verdict == "fails" for τ in (2, 4, 8, 16, 32))
    points = [f"{-100 * v.difference:.1f}" for τ, v in small.items() if τ >= 2]
    yield f"The scaled learning rate costs {listed(points)} points at τ = 2, 4, 8, 16 and 32"
    points = [f"{-100 * v.difference:.1f}" for τ, v in large.items() if τ >= 2]
    yield f"{listed(points)} points beside large batches"
    losses = [
        fmean(loss for rate in rows["none", τ]["rates"] if way in rate["ways"] for loss in rate["training_losses"])
        for τ, way in ((32, "usable"), (16, "usable"))
    ]
    at_best = fmean(best(rows["none", 0]["rates"])["training_losses"])
    yield f"its training loss is {losses[1]:.2f} at τ = 16 and {losses[0]:.2f} at τ = 32"
    yield f"and {at_best:.2f} without delay"
    tuned = {kind: {τ: fmean(by_way(rows[kind, τ], "tuned")) for τ in small} for kind in ("none", "large")}
    beside = {τ: tuned["none"][τ] - tuned["large"][τ] for τ in small}
    assert all(difference > -0.01 for τ, difference in beside.items() if τ <= 16)
    yield f"within a point of large batches up to τ = 16, and {-100 * beside[32]:.1f} points below at 32"
    assert all("ladder 4" in best(rows["none", τ]["rates"])["ways"] for τ in small if τ >= 4)
    held = {claim: {τ for τ, v in own.items() if v.verdict == "holds"} for claim, own in by_claim.items()}
    assert held["kept, below small batches"] == {4, 8, 16, 32}
    assert held["no momentum, better than momentum, scaled"] == {4, 8, 16, 32}
    assert held["no momentum, better than momentum, tuned"] == {2, 4}
    assert held["shifted, better than momentum, scaled"] == {2, 4, 8, 16, 32}
    assert held["shifted, better than momentum, tuned"] == {4, 8, 16, 32}
    assert held["shifted, better than no momentum, tuned"] == {8, 32}
    yield "one of eight comparisons holds at every delay from τ = 2 on"


def real_workers() -> Iterator[str]:
    rows = read("real_workers.json")["rows"]
    far = [abs(error(row, "distribution")) for row in rows]
    assert (len(rows), sum(one <= 0.05 for one in far)) == (12, 6)
    yield "But it comes within 5 % in only six cases of twelve"
    pairs = [row for row in rows if row["workers"] == 2 and row["slowdown"] > 1]
    eights, rest = (
        ceil(100 * max(one for one, row in zip(far, rows, strict=True) if row not in pairs and chosen(row["workers"])))
        for chosen in ((8).__eq__, (8).__gt__)
    )
    yield f"With eight workers the formula is within {eights} % of what was measured"
    yield f"or two of one speed, within {rest} %"
    assert all(error(row, "distribution") < -0.5 for row in pairs)
    drawn = max(abs(error(row, "drawn independently")) for row in pairs)
    yield f"drawn independently are within {percent(drawn, 1)} % there"
    assert all(error(row, "mean square") > 0 > row["autocorrelation"]["1"] for row in rows)
    assert all(min(error(row, name) for name in ("mean age", "90 % quantile", "maximum")) > 0.1 for row in rows)
    runs = [abs(run["growth"] - run["recursion"]) for row in rows for run in row["runs"]]
    yield f"as the run did, to {median(runs):.0e} a step in the median of {len(runs)} runs"
    assert sum(one > 1e-3 for one in runs) == 2
