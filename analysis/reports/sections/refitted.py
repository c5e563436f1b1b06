"""What `tautune refit` left in a tuning's folder: the test of the best configuration, and what it predicted."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from tautune.analysis.pages.page import Chart, Section, Table
from tautune.analysis.reports.charts.predictions import Column, forecasts, pairs
from tautune.analysis.reports.parts.tuned import Tuned
from tautune.records.errors import InputError
from tautune.records.files import read_json
from tautune.records.storage import Folder, reading
from tautune.records.typed import Object
from tautune.trainables.goal import in_words


def test_section(tuned: Tuned) -> Iterator[Section]:
    """Yields the section about the test, once there was one."""
    file = tuned.folder / "test.json"
    if not file.is_file():
        return
    try:
        test = read_json(file, Object)
    except InputError as error:
        tuned.history.damaged.append(f"Left out: {error}")
        return
    numbers = {name: value for name, value in test.items() if isinstance(value, int | float)}
    yield Section(
        title="The test",
        text=("The best configuration was trained on all examples but those of the test, which were used once.",),
        charts=_charts(tuned, tuned.folder / "test_predictions.csv"),
        table=Table(columns=("", "value"), rows=[(in_words(name), value) for name, value in numbers.items()]),
    )


def _charts(tuned: Tuned, file: Folder) -> list[Chart]:
    """Returns what is drawn of the predictions; nothing of a task without numbers."""
    if not file.is_file():
        return []
    try:
        columns = _columns(file)
    except (ValueError, KeyError, IndexError):
        tuned.history.damaged.append(f"Left out: {file} is damaged")
        return []
    task = (tuned.configuration.get("task") or {}).get("name")
    return forecasts(columns) if task == "forecasting" else [pairs(columns[0])]


def _columns(file: Folder) -> list[Column]:
    """Returns the targets and predictions by step; of several channels the first. Raises ValueError or KeyError."""
    with reading(file):
        rows = list(csv.DictReader(io.StringIO(file.read_text())))
    steps = [name.removeprefix("target_") for name in rows[0] if name.startswith("target_")]
    first = [step for step in steps if step.partition(".")[2] in ("", "1")]
    if not first:
        raise ValueError
    return [
        Column([float(row[f"target_{step}"]) for row in rows], [float(row[f"prediction_{step}"]) for row in rows])
        for step in first
    ]
