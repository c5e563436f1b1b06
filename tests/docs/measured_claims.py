"""What the pages on the paper's claims and on real workers say, made from the files that it came from."""

from collections.abc import Iterator

from docs import claim_tables
from tests.docs.measured import percent


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
