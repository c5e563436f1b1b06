"""Measures grids of 100 to 100,000 points: time per point, the driver's memory, disk space, share of peak performance.

    python -m benchmarks.scale [--json] [--points 100,1000,10000,100000]

Each grid is one run of `tautune grid digits` with trainings of 20 steps. Two times are reported: the whole command's
time per point, with Ray's start, and the time that one more point costs, from the difference to the next smaller grid.
"""

import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.record import keep
from benchmarks.timing import environment
from tautune.runners.grid_plan import PRECISION
from tautune.search_spaces import digits
from tautune.trainables.grid.plan import plan
from tautune.trainables.grid.point import Course, Point, Task
from tautune.trainables.grid.stacked_training import StackedTraining

STEPS = 20
DELAYS = 10
COURSE = Course(steps=STEPS, mini_batch=32)


def run_grid(points: int, folder: Path) -> dict[str, float]:
    """Runs one grid: 10 delays, 2 seeds, and as many learning rates as make up the number of points."""
    delays = ",".join(map(str, range(DELAYS)))
    options = ["--delays", delays, "--learning-rates", f"0.001:0.4:{points // (2 * DELAYS)}", "--seeds", "2"]
    options += ["--steps", str(STEPS), "--mini-batch", "32", "--output", str(folder)]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "tautune", "grid", "digits", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    memory = 0
    while process.poll() is None:
        memory = max(memory, _peak_memory(process.pid))
        time.sleep(0.2)
    seconds = time.perf_counter() - begun
    if process.returncode:
        assert process.stderr is not None
        raise RuntimeError(f"the grid of {points} points failed: {process.stderr.read()[-2000:]}")
    rows = (folder / "points.csv").read_bytes().count(b"\n") - 1
    if rows != points:
        raise RuntimeError(f"{rows} points came of {points}")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return {"points": points, "seconds": seconds, "driver_bytes": memory, "disk_bytes": size}


def _peak_memory(process: int) -> int:
    """Returns the most bytes that the process has had in memory; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def peak_share() -> dict[str, float]:
    """Returns which share of a core's peak (matrix multiplication, single precision) stacked training reaches."""
    torch.set_num_threads(1)
    matrix = torch.randn(1024, 1024, dtype=PRECISION)
    peak = 2 * 1024**3 / min(_seconds(lambda: matrix @ matrix) for _ in range(10))
    problem = digits.STUDY.problem().cast(PRECISION)
    task = Task(problem, {0: problem.point}, COURSE)
    points = [Point(delay, 0.01) for delay in range(DELAYS) for _ in range(100)]
    how = plan(task, points)
    stacked = StackedTraining(task, points[: how.at_once])
    with FlopCounterMode(display=False) as counter:
        stacked.advance(1)
    rate = counter.get_total_flops() / (how.seconds[how.at_once] * how.at_once)
    return {
        "at_once": how.at_once,
        "seconds_of_a_points_step": how.seconds[how.at_once],
        "peak_flops": peak,
        "stacked_flops": rate,
        "share": rate / peak,
    }


def _seconds(work: Any) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    points: Annotated[str, typer.Option(help="Points of each grid, multiples of 20.")] = "100,1000,10000,100000",
) -> None:
    """Measure what a grid costs as it grows."""
    with tempfile.TemporaryDirectory() as name:
        rows = [run_grid(int(number), Path(name) / number) for number in points.split(",")]
    for row in rows:
        row["seconds_a_point"] = row["seconds"] / row["points"]
    for before, row in pairwise(rows):
        row["seconds_one_more_point"] = (row["seconds"] - before["seconds"]) / (row["points"] - before["points"])
    figures: dict[str, Any] = {"rows": rows, "steps": STEPS, "peak": peak_share()}
    figures["ratios"] = {}
    if len(rows) > 2:
        for name, row in (("seconds_a_point", rows[1]), ("seconds_one_more_point", rows[-2])):
            which = f"{rows[-1]['points']} points over {row['points']}"
            figures["ratios"][f"{name}, {which}"] = rows[-1][name] / row[name]
    keep("scale", figures, as_json=as_json)
    if not as_json:
        for row in rows:
            Console().print(described(row), highlight=False)


def described(row: dict[str, float]) -> str:
    memory, disk = (row[name] / 2**20 for name in ("driver_bytes", "disk_bytes"))
    each = 1e3 * row["seconds_a_point"]
    times = f"{row['seconds']:.1f} s, {each:.2f} ms a point"
    return f"scale: {row['points']:,} points, {times}, driver {memory:.0f} MiB, disk {disk:.1f} MiB"


if __name__ == "__main__":
    typer.run(main)
