"""Makes the tables of docs/benchmarks.md that show where a grid's time goes, from benchmarks/results/grid_time.json.

python -m docs.grid_table
"""

import json
from pathlib import Path
from typing import Any

from docs.tables import computed, table

RESULTS = Path(__file__).parents[1] / "benchmarks/results"
PAGE = Path(__file__).parent / "benchmarks.md"
MISSING = "Not measured yet: `python -m benchmarks.grid_time` does.\n"
Json = dict[str, Any]


def read() -> Json | None:
    """Returns what was measured; None if nothing was."""
    file = RESULTS / "grid_time.json"
    return json.loads(file.read_text()) if file.exists() else None


def phases() -> str:
    """Returns the seconds of each phase with all steps and with one, and what is left where a step costs nothing."""
    found = read()
    if found is None:
        return MISSING
    whole, one = (found["phases_seconds"][str(number)] for number in (found["steps"], 1))
    rows = [[name, f"{seconds:.1f} s", f"{one[name]:.1f} s"] for name, seconds in whole.items()]
    total, least = sum(whole.values()), sum(one.values())
    rows.append(["together", f"{total:.1f} s", f"{least:.1f} s"])
    limit = (
        f"\nIf a step took no time, the grid would take {least:.1f} s: no faster step makes it more than "
        f"{total / least:.2f} times as fast.\n"
    )
    return table(["phase", f"{found['steps']:,} steps", "1 step"], rows) + limit


def step() -> str:
    """Returns what a stacked step's time is spent on, and how far it is from a core's peak."""
    found = read()
    if found is None:
        return MISSING
    inside = found["step"]
    rows = [[kind, f"{100 * share:.0f} %"] for kind, share in inside["shares_of_time"].items()]
    peak, operations = inside["peak_per_second"], inside["operations"]
    limit = (
        f"\nOne step of {inside['points']} points takes {1e6 * inside['seconds']:.0f} µs on one core for "
        f"{operations / 1e6:.1f} million operations, {100 * inside['share_of_peak']:.0f} % of the core's peak of "
        f"{peak / 1e9:.0f} billion a second. Its products alone, whose matrices have at most {MOST} entries each, take "
        f"{1e6 * inside['products_alone_seconds']:.0f} µs while all they need is in the cache: "
        f"{100 * inside['products_alone_share_of_peak']:.0f} % of that peak, and "
        f"{100 * inside['share_of_products_alone']:.0f} % of the step.\n"
    )
    return table(["part of a step", "share of its time"], rows) + limit


MOST = 64 * 32
"""Entries of the largest matrix in the network of digits, 64-32-10."""
TABLES = {"phases of a grid": phases, "a stacked step": step}

if __name__ == "__main__":
    PAGE.write_text(computed(PAGE.read_text(), TABLES))
