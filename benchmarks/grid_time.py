"""Shows where a grid's time goes: from start to end of the run, and within a step of stacked points.

    python -m benchmarks.grid_time [--json] [--steps 2000]

The grid is that of `benchmarks.sweep`: 8 delays × 16 learning rates on digits with mini-batches of 32. It is run with
all its steps and with one, which takes as long but for the training. A step's floating point operations are compared
with the peak of one core, the rate of a product of large matrices, and its time with that of its products alone.
"""

import json
import statistics
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
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.record import keep
from benchmarks.sweep import DELAYS, LEARNING_RATES
from benchmarks.timing import environment
from tautune.runners.grid import Grid
from tautune.runners.listeners import GridListener

POINTS, MINI_BATCH = 64, 32
KINDS = {
    "matrix products": ("mm", "bmm", "baddbmm", "addmm"),
    "activations and loss": (
        *("tanh", "tanh_backward", "_log_softmax", "exp_", "gather", "scatter_add_", "sum", "mean", "neg", "div_"),
    ),
    "gradients to their queues, and updates": ("cat", "addcmul", "addcmul_", "copy_"),
    "drawing the mini-batch": ("index", "randperm", "split"),
}
"""The operations of a step; what is left is Python's and torch's own, between them."""
REPETITIONS = 5
IMPORTED, DRAWN, ENDING = "Ray's start, with torch's import meanwhile", "conclusions and the figure", "Python's end"
WORDS = {
    "reading": "data, the study's checks and theory",
    "measuring": "processes for the trials, and training",
    "drawing the report": "the report, and Ray's end",
}
"""What follows, by how the listener is told of it."""


class Stamps(GridListener):
    """Notes when the run begins what, in seconds since the epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.times = {IMPORTED: time.time()}

    def doing(self, text: str) -> None:
        for begins, what in WORDS.items():
            if text.startswith(begins):
                self.times.setdefault(what, time.time())

    def trained(self, done: int, diverged: int, at_once: int) -> None:
        self.times[DRAWN] = time.time()  # until the last ones are


def phases(steps: int) -> dict[str, float]:
    """Returns the seconds of a run's phases, in the order in which they follow each other."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.time()
        command = [sys.executable, "-m", "benchmarks.grid_time", "--inside", folder, "--steps", str(steps)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True)
        ended = time.time()
    stamps = {"Python's start, and imports before Ray's": begun, **json.loads(done.stdout.splitlines()[-1])}
    times = [*stamps.values(), ended]
    return {name: times[place + 1] - times[place] for place, name in enumerate(stamps)}


def run_inside(folder: str, steps: int) -> None:
    """Trains the grid in this process and prints its stamps."""
    from tautune._grid import carry_out

    grid = Grid(
        study="digits", delays=DELAYS, learning_rates=LEARNING_RATES, steps=steps, mini_batch=MINI_BATCH, device="cpu"
    )
    stamps = Stamps()
    carry_out(grid, Path(folder) / "grid", stamps)
    print(json.dumps(dict(sorted((stamps.times | {ENDING: time.time()}).items(), key=lambda item: item[1]))))


def step() -> dict[str, Any]:
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
    square = torch.randn(1024, 1024)
    peak = 2 * 1024**3 / _fastest(lambda: square @ square)
    operations = counter.get_total_flops()
    alone = _products([(m.in_features, m.out_features) for m in problem.model.modules() if isinstance(m, nn.Linear)])
    return {
        "points": POINTS,
        "seconds": seconds,
        "operations": operations,
        "peak_per_second": peak,
        "share_of_peak": operations / seconds / peak,
        "products_alone_seconds": alone,
        "products_alone_share_of_peak": operations / alone / peak,
        "share_of_products_alone": alone / seconds,
        "shares_of_time": _shares(training),
        "bytes_of_weights": 4 * training.x.numel(),
    }


def _products(layers: list[tuple[int, int]]) -> float:
    """Returns the seconds of a step's matrix products alone, over and over, so that the caches hold what they need."""
    pairs = []
    for place, (inputs, outputs) in enumerate(layers):
        weights, h, slopes = (
            torch.randn(POINTS, *shape) for shape in ((outputs, inputs), (inputs, MINI_BATCH), (outputs, MINI_BATCH))
        )
        pairs += [(weights, h), (slopes, h.mT), *([(weights.mT, slopes)] if place else [])]

    def run() -> None:
        for _ in range(100):
            for one, other in pairs:
                torch.bmm(one, other)

    return _fastest(run) / 100


def _shares(training: Any) -> dict[str, float]:
    """Returns which share of a step's time is spent on what, as torch's profiler has it, whose own time is counted."""
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        begun = time.perf_counter()  # which the profiler's times are of too
        training.advance(100)
        whole = 1e6 * (time.perf_counter() - begun)
    times = {event.key: event.self_cpu_time_total for event in profiled.key_averages()}
    shares = {kind: sum(times.get(f"aten::{name}", 0.0) for name in names) / whole for kind, names in KINDS.items()}
    return shares | {"Python, and torch between the operations": 1 - sum(shares.values())}


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
    repetitions: Annotated[int, typer.Option(min=1, help="Runs of the grid, and of the one of a single step.")] = 3,
    inside: Annotated[str, typer.Option(hidden=True, help="Folder to train in, in this process.")] = "",
) -> None:
    """Time the phases of a grid, and what a step is made of."""
    if inside:
        run_inside(inside, steps)
        return
    runs = {str(number): [phases(number) for _ in range(repetitions)] for number in (steps, 1)}
    seconds = {
        number: {name: statistics.median(run[name] for run in every) for name in every[0]}
        for number, every in runs.items()
    }
    figures: dict[str, Any] = {"steps": steps, "phases_seconds": seconds, "runs": runs, "step": step()}
    keep("grid_time", figures, as_json=as_json)
    if as_json:
        return
    table = Table("", f"{steps:,} steps, s", "1 step, s")
    for name, whole in seconds[str(steps)].items():
        table.add_row(name, f"{whole:.2f}", f"{seconds['1'][name]:.2f}")
    within = Table("a step", "")
    for name, value in (figures["step"] | figures["step"]["shares_of_time"]).items():
        if isinstance(value, int | float):
            within.add_row(name, f"{value:.3g}")
    Console().print(table, within)


if __name__ == "__main__":
    typer.run(main)
