"""Keeps a benchmark's raw figures, together with the hardware and the versions used."""

import json
from pathlib import Path
from typing import Any

from tautune.records.files import write_json
from tautune.records.provenance import now, provenance

RESULTS = Path(__file__).parent / "results"


def keep(name: str, figures: dict[str, Any], *, as_json: bool) -> None:
    """Writes benchmarks/results/NAME.json, and with `as_json` prints all of it as well."""
    result = {"benchmark": name, "date": now()} | figures | provenance()
    RESULTS.mkdir(exist_ok=True)
    write_json(RESULTS / f"{name}.json", result)
    if as_json:
        print(json.dumps(result))
