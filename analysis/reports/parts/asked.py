"""What runs were asked for, beside each other: only what differs between them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tautune.analysis.pages.page import Section, Table
from tautune.records.kept_space import Searched, searched
from tautune.records.storage import Folder

LONGEST = 80
"""Letters of a cell at most."""


def asked_table(configurations: Mapping[str, dict[str, Any]]) -> Table:
    """Returns a row for each entry of the configurations that is not the same in all, and a column for each run."""
    asked = [dict(_entries(own)) for own in configurations.values()]
    rows = [
        (name, *(own.get(name, "") for own in asked))
        for name in dict.fromkeys(name for own in asked for name in own)
        if len({own.get(name, "") for own in asked}) > 1
    ]
    return Table(columns=("", *configurations), rows=rows or [("nothing differs", *[""] * len(configurations))])


def asked_section(runs: Mapping[str, tuple[Folder, dict[str, Any]]]) -> Section:
    """Returns what differs between the configurations of runs: by what each is called, its folder and its run.json."""
    table = asked_table({label: run["configuration"] for label, (_, run) in runs.items()})
    return Section(title="What was asked for", table=table)


def _entries(configuration: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields names with texts; what is kept in an entry of several, such as a space, has a name of its own."""
    for name, value in configuration.items():
        if not isinstance(value, dict):
            yield name, _text(value)
            continue
        drawn = searched(value) if name == "space" else {}
        for part, own in value.items():
            yield f"{name}: {part}", _drawn(drawn[part]) if part in drawn else _text(own)


def _drawn(entry: Searched) -> str:
    """Returns what a hyperparameter was drawn from: 0.001 to 1 (log); adam, sgd."""
    if entry.choices is not None:
        said = ", ".join(map(_text, entry.choices))
    elif entry.low is not None:
        said = f"{entry.low:g} to {entry.high:g}{' (log)' if entry.log else ''}"
    else:
        said = entry.kind
    return _cut(f"{said}, when {entry.condition}" if entry.condition else said)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list) and all(not isinstance(one, list | dict) for one in value):
        return _cut(", ".join(map(_text, value)))
    if isinstance(value, list) and all(isinstance(one, list) and len(one) == 2 for one in value):
        return _cut(", ".join(f"{delay}:{share:.4g}" for delay, share in value))  # delays with their shares
    return _cut(value or "" if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
