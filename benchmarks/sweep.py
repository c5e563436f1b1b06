"""Times a grid of 8 delays × 16 learning rates, 2,000 steps each: tautune, a Ray Tune grid, and two loops without Ray.

    python -m benchmarks.sweep [--json] [--repetitions 3]

The programs run in turn, and each uses every core. Each is timed from start to end, including imports and Ray's start.
They train the same points with the same arithmetic, in single precision; the benchmark compares the final losses and
fails if they differ.
"""

import csv
import json
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from benchmarks.record import keep
from benchmarks.timing import compared, in_turn, run_module

DELAYS = (0, 1, 2, 4, 8, 16, 32, 64)
LEARNING_RATES = tuple(float(f"{rate:.6g}") for rate in np.geomspace(0.001, 0.3, 16))
"""Chosen so that few points diverge, which would end early."""
PEERS = {"torch_loop": ["torch_loop"], "torch_loop_by_hand": ["torch_loop", "--by-hand"], "ray_grid": ["ray_grid"]}
AGREE = 1e-6
"""Largest relative difference of two final losses that counts as agreement."""
CHAOTIC = 0.1
"""Share of the points that may differ by more: near the threshold, training is chaotic and amplifies rounding."""
Rows = dict[tuple[int, float], dict[str, float]]


def ours(folder: Path, grid: list[str], steps: int) -> float:
    shutil.rmtree(folder, ignore_errors=True)
    delays, rates = grid
    options = ("--delays", delays, "--learning-rates", rates, "--steps", steps, "--mini-batch", 32)
    return run_module("tautune", "grid", "digits", *options, "--output", folder)


def rows_of(file: Path) -> Rows:
    rows: list[dict[str, Any]]
    rows = json.loads(file.read_text()) if file.suffix == ".json" else list(csv.DictReader(file.open()))
    return {
        (int(row["delay"]), float(row["learning_rate"])): {
            name: float(row[name]) for name in ("loss", "diverged", "steps")
        }
        for row in rows
    }


def differences(rows: Rows, others: Rows) -> dict[str, float]:
    """Returns how far apart the losses of two programs are, relatively.

    Raises:
        RuntimeError: the programs trained different points, or do not agree.
    """
    if rows.keys() != others.keys():
        raise RuntimeError("the programs did not train the same points")
    apart = [abs(rows[key]["loss"] - others[key]["loss"]) / others[key]["loss"] for key in rows]
    found = {"median": float(np.median(apart)), "share_above_1e-6": float(np.mean(np.array(apart) > AGREE))}
    if found["share_above_1e-6"] > CHAOTIC:
        raise RuntimeError(f"the programs do not agree: {found}")
    return found | {"largest": max(apart)}


def main(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    repetitions: Annotated[
        int, typer.Option(min=1, help="Runs of each program; the Ray Tune grid runs once, for five minutes.")
    ] = 3,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each training.")] = 2000,
) -> None:
    """Time the whole grid."""
    grid = [",".join(map(str, values)) for values in (DELAYS, LEARNING_RATES)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peers = {peer: folder / f"{peer}.json" for peer in PEERS}
        programs = {"tautune": partial(ours, folder / "tautune", grid, steps)} | {
            peer: partial(run_module, f"benchmarks.peers.{PEERS[peer][0]}", *grid, steps, file, *PEERS[peer][1:])
            for peer, file in peers.items()
        }
        figures = compared(in_turn(programs, repetitions, once=("ray_grid",)))
        rows = rows_of(folder / "tautune" / "points.csv")
        how = json.loads((folder / "tautune" / "run.json").read_text())["runs"][-1]
        figures |= {
            "points": len(rows),
            "steps": steps,
            "diverged": sum(row["diverged"] for row in rows.values()),
            "relative_differences": {peer: differences(rows, rows_of(file)) for peer, file in peers.items()},
            "at_once": how["at_once"],
            "seconds_of_a_points_step_by_number_at_once": how["seconds_by_number_at_once"],
        }
    keep("sweep", figures, as_json=as_json)
    if not as_json:
        console = Console()
        for peer, ratio in figures["ratios"].items():
            console.print(f"sweep: {peer} takes {ratio:.1f} times as long", highlight=False)


if __name__ == "__main__":
    typer.run(main)
