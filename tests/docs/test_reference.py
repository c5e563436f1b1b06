"""The reference has everything: each page in the contents, each public name, each column of a file."""

import csv
import re
from dataclasses import fields
from typing import get_type_hints

import pytest

import tautune
from docs import conf
from tautune.analysis.edges import EdgePoint, EdgesJson
from tautune.analysis.grids import DelayRow
from tautune.analysis.probe import ProbeJson, ProbeRow
from tautune.analysis.regret import RegretJson
from tautune.analysis.thresholds import Escape, Point, ThresholdsJson
from tautune.records import edge_folder, grid_folder
from tautune.runners import trials
from tautune.trainables.goal import COLUMNS, Goal
from tests.docs.pages import PAGES, ROOT, text_of


def test_every_page_is_in_the_contents_once() -> None:
    listed = [f"docs/{name}.md" for links in conf.groups(text_of("docs/index.md")).values() for _, name in links]
    assert sorted(listed) == sorted(set(PAGES) - {"README.md", "docs/index.md"})


def test_every_public_name_is_in_the_reference_once() -> None:
    listed = re.findall(r"^.. auto\w+:: tautune\.(\w+)$", text_of("docs/python.md"), re.MULTILINE)
    assert sorted(listed) == sorted(set(dir(tautune)) & set(tautune._MODULES))


def names_of(kind: type) -> list[str]:
    return [field.name for field in fields(kind)]


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("A sweep", [*get_type_hints(ThresholdsJson), *names_of(Point), *names_of(Escape), "relative_error"]),
        ("A grid", [*grid_folder.HEADER, *names_of(DelayRow)]),
        ("An edge", [*edge_folder.HEADER, *get_type_hints(EdgesJson), *names_of(EdgePoint)]),
        ("A tuning", [*COLUMNS, *trials.COUNTS, "validation_accuracy"]),
        ("A simulation", list(get_type_hints(RegretJson))),
        ("A probe", [*get_type_hints(ProbeJson), *names_of(ProbeRow), "safe", "best_remedy", "gain"]),
    ],
)
def test_every_column_has_its_meaning(section: str, names: list[str]) -> None:
    text = re.split(r"^## ", text_of("docs/files.md"), flags=re.MULTILINE)
    told = next(part for part in text if part.startswith(section))
    assert [name for name in names if f"`{name}`" not in told] == []


def test_the_columns_of_a_table_that_was_written() -> None:
    """A row of a real run has no column that the page leaves out."""
    with (ROOT / "benchmarks/results/digits_mlp-0/trials.csv").open() as file:
        columns = next(csv.reader(file))
    scores = [name for name in columns if name.startswith(("validation_", "training_"))]
    text = text_of("docs/files.md")
    assert [
        name for name in columns if name not in scores and not name.startswith("config/") and name not in text
    ] == []
    assert Goal("validation_accuracy", "max").metric in scores
