"""Keeps a benchmark's raw figures, together with the hardware and the versions used."""

import json
from dataclasses import asdict
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


def begun(file: Path, plan: Any) -> dict[str, Any]:
    """Returns what an earlier run with the same plan, a dataclass, has written so far, or else an empty dictionary."""
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return found if found.get("plan") == plan_as_json(plan) else {}


def plan_as_json(plan: Any) -> dict[str, Any]:
    """Returns a dataclass as a file has it, tuples as lists."""
    settings: dict[str, Any] = json.loads(json.dumps(asdict(plan)))
    return settings
