"""What runs were asked for, beside each other: only what differs between them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tautune.analysis.pages.page import Table


def asked_table(configurations: Mapping[str, dict[str, Any]]) -> Table:
    """Returns a row for each entry of the configurations that is not the same in all, and a column for each run."""
    names = list(dict.fromkeys(name for own in configurations.values() for name in own))
    texts = {name: [_text(own.get(name)) for own in configurations.values()] for name in names}
    rows = [(name, *values) for name, values in texts.items() if len(set(values)) > 1]
    return Table(columns=("", *configurations), rows=rows or [("nothing differs", *[""] * len(configurations))])


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"
