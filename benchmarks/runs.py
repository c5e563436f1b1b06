"""Tunes by the command, keeps the small files of each run, and sums up several of them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from benchmarks.record import RESULTS

RUNS = Path("results/measured")
KEPT = ("trials.csv", "run.json", "best.json", "test.json")
Json = dict[str, Any]


def tuned(name: str, *arguments: object, refit: bool = False, metric: str = "accuracy") -> Json:
    """Runs `tautune tune` (and `refit`) unless done already, keeps its small files and returns the result."""
    folder, command = RUNS / name, ["tune", *map(str, arguments)]
    if not (folder / "run.json").exists():
        _tautune(*command, "--output", str(folder))
    elif "finished" not in json.loads((folder / "run.json").read_text())["runs"][-1]:
        _tautune("resume", str(folder))
    if refit and not (folder / "test.json").exists():
        _tautune("refit", str(folder))
    (RESULTS / name).mkdir(parents=True, exist_ok=True)
    for file in KEPT:
        if (folder / file).exists():
            shutil.copy(folder / file, RESULTS / name / file)
    run, best = (json.loads((folder / file).read_text()) for file in ("run.json", "best.json"))
    found = {
        "command": " ".join(["tautune", *command]),
        "commit": run["runs"][0]["commit"],
        f"validation_{metric}": best[f"validation_{metric}"],
        "best": best["config"] | {"epochs": best["epochs"]},
        "training_epochs": run["runs"][-1]["training_epochs"],
        "seconds": sum(part.get("duration_seconds", 0) for part in run["runs"]),
    }
    if refit:
        found[f"test_{metric}"] = json.loads((folder / "test.json").read_text())[f"test_{metric}"]
    return found


def _tautune(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "tautune", *arguments], check=True)


def spread(runs: list[Json], name: str) -> Json:
    """Returns mean and standard deviation (0 of a single run) of one of the results' numbers, with the numbers."""
    values = [run[name] for run in runs]
    deviation = stdev(values) if len(values) > 1 else 0.0
    return {"mean": fmean(values), "standard_deviation": deviation, "values": values}
