"""Shows where a grid's time goes: from start to end of the run, and within a step of stacked points.

    python -m benchmarks.grid_time [--json] [--steps 2000]

The grid is that of `benchmarks.sweep`: 8 delays × 16 learning rates on digits with mini-batches of 32. A step's
floating point operations are compared with the peak of one core, the rate of a product of large matrices.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.record import keep
from benchmarks.sweep import DELAYS, LEARNING_RATES
from benchmarks.timing import environment
from tautune.runners.grid import Grid
from tautune.runners.listeners import GridListener

POINTS, MINI_BATCH = 64, 32
PRODUCTS = ("aten::mm", "aten::bmm", "aten::baddbmm", "aten::addmm")
REPETITIONS = 5


class Stamps(GridListener):
    """Notes when the run comes how far, in seconds since the epoch."""

    def __init__(self) -> None:
        self.times = {"imported": time.time()}

    def begun(self, points: int) -> None:
        self.times["prepared"] = time.time()

    def trained(self, done: int, diverged: int, at_once: int) -> None:
        self.times.setdefault("first outcomes", time.time())
        self.times["last outcomes"] = time.time()


def phases(steps: int) -> dict[str, float]:
    """Returns the seconds of a run's phases in the order in which they follow each other."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.time()
        command = [sys.executable, "-m", "benchmarks.grid_time", "--inside", folder, "--steps", str(steps)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True)
        ended = time.time()
    stamps = {"begun": begun, **json.loads(done.stdout.splitlines()[-1]), "ended": ended}
    names = list(stamps)
    return {
        f"{before} to {after}": stamps[after] - stamps[before] for before, after in zip(names, names[1:], strict=False)
    }


def run_inside(folder: str, steps: int) -> None:
    """Trains the grid in this process and prints its stamps."""
    from tautune._grid import carry_out

    grid = Grid(
        study="digits", delays=DELAYS, learning_rates=LEARNING_RATES, steps=steps, mini_batch=MINI_BATCH, device="cpu"
    )
    stamps = Stamps()
    carry_out(grid, Path(folder) / "grid", stamps)
    print(json.dumps(stamps.times | {"returned": time.time()}))


def step() -> dict[str, float]:
    """Returns seconds and operations of a stacked step, its share of a core's peak, and how its time divides."""
    from tautune.search_spaces.digits import STUDY
    from tautune.trainables.grid.point import Course, Point, Task
    from tautune.trainables.grid.stacked_training import StackedTraining

    torch.set_num_threads(1)
    problem = STUDY.problem().cast(torch.float32)
    course = Course(steps=10**9, mini_batch=MINI_BATCH)
    points = [Point(DELAYS[i % len(DELAYS)], 1e-6 * (i + 1)) for i in range(POINTS)]
    training = StackedTraining(Task(problem, {0: STUDY.start(0).to(torch.float32)}, course), points)
    training.advance(100)
    with FlopCounterMode(display=False) as counter:
        training.advance(1)
    seconds = _fastest(lambda: training.advance(100)) / 100
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        training.advance(100)
    times = {event.key: event.self_cpu_time_total for event in profiled.key_averages()}
    square = torch.randn(1024, 1024)
    peak = 2 * 1024**3 / _fastest(lambda: square @ square)
    operations = counter.get_total_flops()
    return {
        "points": POINTS,
        "seconds": seconds,
        "operations": operations,
        "peak_per_second": peak,
        "share_of_peak": operations / seconds / peak,
        "share_of_time_in_matrix_products": sum(times.get(name, 0.0) for name in PRODUCTS) / sum(times.values()),
        "bytes_of_weights": 4 * training.x.numel(),
    }


def _fastest(run: Callable[[], object]) -> float:
    """Returns the shortest CPU time in seconds of several runs: other work on the machine counts little then."""
    seconds = []
    for _ in range(REPETITIONS):
        begun = time.process_time()
        run()
        seconds.append(time.process_time() - begun)
    return min(seconds)


def main(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each training.")] = 2000,
    inside: Annotated[str, typer.Option(hidden=True, help="Folder to train in, in this process.")] = "",
) -> None:
    """Time the phases of a grid, and what a step is made of."""
    if inside:
        run_inside(inside, steps)
        return
    figures: dict[str, Any] = {"phases_seconds": phases(steps), "step": step()}
    keep("grid_time", figures, as_json=as_json)
    table = Table("", "value")
    for name, value in (figures["phases_seconds"] | figures["step"]).items():
        table.add_row(name, f"{value:.3g}")
    if not as_json:
        Console().print(table)


if __name__ == "__main__":
    typer.run(main)
