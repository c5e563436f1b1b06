"""Every number that the manual gives of a measurement is the one in the file that it came from."""

import re

import pytest

from docs import theory_tables
from tests.docs import measured, measured_benchmarks, measured_claims, measured_edges
from tests.docs.pages import PAGES, text_of

CLAIMS = {
    "README.md": measured.readme,
    "docs/asynchronous.md": measured_benchmarks.asynchronous,
    "docs/benchmarks.md": lambda: (*measured_benchmarks.tuned(), *measured_benchmarks.speed()),
    "docs/real_workers.md": measured_claims.real_workers,
    "docs/claims.md": lambda: (*measured_claims.stability(), *measured_claims.accuracy()),
    "docs/edge.md": measured_edges.edge,
    "docs/paper.md": measured.paper,
    "docs/probe.md": measured_edges.probe,
    "docs/reliability.md": measured_benchmarks.reliability,
    "docs/remedies.md": measured.remedies,
    "docs/studies.md": measured_benchmarks.studies,
    "docs/theory.md": measured.theory,
    "docs/threshold.md": measured.threshold,
}
NUMBER = re.compile(
    r"(?<![\w.,/])\d+(?:,\d{3})*(?:\.\d+)?(?:e-\d+)?(?: ?(?:%|s|ms|µs|MiB|GiB|MB|×|epochs|gradients)(?!\w))?"
)
"""A number, and the unit that follows it."""
NOT_MEASURED = r"^```.*?^```|<!-- computed.*?<!-- end -->|^## Plan.*?(?=^## |\Z)"
"""Code, tables that a test of their own makes anew, and plans: what was decided before a study was run."""
MEASURED = re.compile(r"\d\.\d|\d,\d|e-| ?(%|s|ms|µs|MiB|GiB|MB|×|epochs|gradients)$")
"""What a number has that was measured rather than chosen."""
CHOSEN = {
    "README.md": {"3.11": "of Python"},
    "docs/architecture.md": {"42 %": "the largest share of a room"},
    "docs/asynchronous.md": {
        **dict.fromkeys(("3 ×", "1.5 ×"), "of the goal"),
        **dict.fromkeys(("2,000", "20 epochs"), "the length of a measurement"),
        "0.05": "a resolution",
    },
    "docs/benchmarks.md": {
        "91.71 %": "was published",
        "2,000": "steps of a grid",
        "1 %": "the resolution that was asked for",
        "3 ×": "of a grid of 3 × 3",
        "2,410": "parameters of a network",
        "10,000": "images",
    },
    "docs/real_workers.md": {"1,000": "updates of a run"},
    "docs/claims.md": {"0.9": "a momentum", "16 epochs": "of each training"},
    "docs/cluster.md": {"3.11": "of Python", "100 MiB": "the limit of what Ray takes"},
    "docs/edge.md": {
        **dict.fromkeys(("1.5", "0.002"), "what the default learning rates follow from"),
        **dict.fromkeys(("0.9", "0.99", "0.999", "0.9999"), "a momentum, and β₂"),
        "1.05": "the ratio at which the last column is told",
        **dict.fromkeys(("4,000", "24,000"), "steps of the trainings"),
        "3 %": "the band around the edge, and what had been expected",
        **dict.fromkeys(("1.5 %", "4 %", "5 %", "6 %"), "of the table, rounded"),
    },
    "docs/gpu.md": {"60 epochs": "of each training of a study that was not run"},
    "docs/measure.md": {"3.11": "of Python", "0.9": "a momentum"},
    "docs/outcomes.md": {"0.5": "the correlation that decides"},
    "docs/own_study.md": {"2,000": "iterations of a descent"},
    "docs/paper.md": {
        "8 %": "the paper's own resolution",
        "0.9": "a momentum",
        "3 ×": "of a grid of 3 × 3",
        **dict.fromkeys(("10,000", "60,000", "70,000"), "images of MNIST"),
    },
    "docs/probe.md": {
        "1.05": "the ratio at which it warns",
        **dict.fromkeys(("0.7", "1.5"), "of the threshold: rates that were tried"),
    },
    "docs/reliability.md": {
        **dict.fromkeys(("5e-324", "1e-30", "2,000", "3,000", "4,000", "10,000"), "of a test's inputs"),
        **dict.fromkeys(("25 s", "200 ms", "5 %"), "of a fault that is made"),
        "1,000": "trials",
    },
    "docs/remedies.md": {"3 %": "the tolerance of a test"},
    "docs/report.md": {"2.5": "times the median: where an axis ends"},
    "docs/secure.md": {"127.0": "of an address"},
    "docs/studies.md": {
        **dict.fromkeys(("81,391", "16,000"), "definitions in WordNet"),
        "30 epochs": "of each trial of diabetes",
    },
    "docs/troubleshooting.md": {"95 %": "of memory: Ray's own threshold"},
    "docs/tasks.md": {"81,000": "definitions in WordNet"},
    "docs/theory.md": {
        "0.1": "of an example",
        "0.9": "a momentum",
        "1e-15": "of a β₂",
    },
    "docs/transfer.md": {"0.5": "a momentum", "0.9": "a momentum"},
    "docs/threshold.md": {
        "8 %": "the paper's own resolution",
        "0.9": "a momentum",
        **dict.fromkeys(("20 epochs", "2,000", "6,000"), "of a measurement, at most"),
    },
}
"""Numbers that look like measurements and are none, by page, with what they are."""


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("page", CLAIMS)
def test_measured_numbers_are_those_of_the_files(page: str) -> None:
    text = plain(text_of(page))
    assert [claim for claim in CLAIMS[page]() if claim not in text] == []


@pytest.mark.parametrize("page", PAGES)
def test_no_measured_number_is_left_out(page: str) -> None:
    """Each is in a sentence or a row that is made from a file, or is told in CHOSEN not to be a measurement."""
    text = re.sub(NOT_MEASURED, "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    text = plain(re.sub(r"`[^`]*`|\]\([^)]*\)|\d{4}\.\d{5}", "", text))  # code, links, numbers of articles
    for claim in CLAIMS.get(page, tuple)():
        text = text.replace(plain(re.sub(r"`[^`]*`", "", claim)), "")
    found = {number for number in NUMBER.findall(text) if MEASURED.search(number)}
    assert found - CHOSEN.get(page, {}).keys() == set()


def test_costs_of_remedies_are_those_of_the_benchmark() -> None:
    ratios = measured.read("remedies.json")["ratios"]
    rows = dict(re.findall(r"^\| `(\w+)\(.* \| ([\d.]*) \|$", text_of("docs/remedies.md"), re.MULTILINE))
    rows.pop("ShiftedMomentumSGD", None)  # takes the place of SGD, and was not timed
    assert rows == {name: f"{ratios[called]:.2f}" for name, called in measured.COSTS.items()}


def test_tables_of_theory_have_a_test_of_their_own() -> None:
    assert "<!-- computed: thresholds -->" in theory_tables.PAGE.read_text()
