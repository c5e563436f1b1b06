"""Makes the tables of docs/studies.md and docs/searches.md from benchmarks/results/; a test compares them.

python -m docs.study_tables
"""

import json
from pathlib import Path
from typing import Any

from docs.tables import computed, table

RESULTS = Path(__file__).parents[1] / "benchmarks/results"
PAGES = [Path(__file__).parent / name for name in ("studies.md", "searches.md")]
Json = dict[str, Any]
STUDIES: dict[str, tuple[str, str, str, int]] = {
    "diabetes": ("rmse", "root mean squared error", "{:.2f}", 1),
    "sunspots": ("mae", "mean absolute error", "{:.2f}", 1),
    "python_bytes": ("bits_per_byte", "bits per byte", "{:.3f}", 1),
    "wordnet": ("accuracy", "accuracy", "{:.2f} %", 100),
}
"""Study → its metric, what that is called, how it is written, and in which unit."""


def read(name: str) -> Json:
    found: Json = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def instead(study: str, baseline: Json) -> dict[str, tuple[float, float]]:
    """Returns the validation and test scores of what needs no network."""
    if study == "diabetes":
        return {"ridge regression": (baseline["validation_rmse"], baseline["test_rmse"])}
    if study == "wordnet":
        return {"TF-IDF + logistic regression": (baseline["validation_accuracy"], baseline["test_accuracy"])}
    if study == "sunspots":
        kinds = {"the cycle before": "seasonal_naive", "linear autoregression": "linear"}
        return {
            what: tuple(baseline[kind][part]["mae"] for part in ("validation", "test")) for what, kind in kinds.items()
        }
    return {
        f"Kneser-Ney {order}-grams": tuple(baseline[order][f"{part}_bits_per_byte"] for part in ("validation", "test"))
        for order in ("4", "5", "6")
    }


def studies() -> str:
    """Returns what each study reached, beside its baselines, on validation and test."""
    rows = []
    for study, (metric, called, form, unit) in STUDIES.items():
        if not (RESULTS / f"{study}.json").exists():
            continue
        found = read(study)

        def shown(value: float, form: str = form, unit: int = unit) -> str:
            return form.format(value * unit)

        for what, (validation, test) in instead(study, found["baseline"]).items():
            rows.append([f"`{study}`, {called}", what, shown(validation), shown(test), ""])
        scores = [
            f"{shown(found[name]['mean'])} ± {shown(found[name]['standard_deviation'])}"
            for name in (f"validation_{metric}", f"test_{metric}")
        ]
        each = ", ".join(shown(run[f"test_{metric}"]) for run in found["runs"])
        rows.append([f"`{study}`, {called}", "tautune", *scores, each])
    return table(["study", "model", "validation", "test", "test, seed by seed"], rows)


def gradient_search() -> str:
    """Returns what reaching the best of random search costs each search."""
    if not (RESULTS / "gradient_search.json").exists():
        return "Not measured yet.\n"
    found = read("gradient_search")
    rows = []
    for study, searches in found["summary"].items():
        for search, row in searches.items():
            within = f"{row['within_a_quarter']} of {row['seeds']}"
            cost = "more than 64" if row["median_cost"] is None else f"{row['median_cost']:g}"
            ratios = [
                f"{row[f'median_ratio_{when}'] - 1:+.1%}".replace("%", " %")
                for when in ("after_a_quarter", "after_all")
            ]
            rows.append([f"`{study}`", f"`{search}`", within, cost, *ratios])
    return table(["study", "search", "within 16", "median cost", "after 16", "after 64"], rows)


TABLES = {"studies": studies, "gradient search": gradient_search}

if __name__ == "__main__":
    for page in PAGES:
        page.write_text(computed(page.read_text(), TABLES))
