"""The delay × learning-rate grid as a Ray Tune job: few trials, each of many points."""

import io
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from ray import tune
from rich.console import Console

from tautune.analysis.grids import GridSummary, conclude
from tautune.cluster.session.session import RETRIES, ray_session
from tautune.cluster.session.storage_probe import check_storage
from tautune.commands.grid_progress import GridProgress, grid_table
from tautune.records.errors import InputError, Interrupted, trial_failed
from tautune.records.files import write_bytes, write_json
from tautune.records.grid_folder import GridFolder
from tautune.records.provenance import now, provenance
from tautune.records.storage import Folder, ray_storage, written_locally
from tautune.search_spaces.stability_study import StabilityStudy
from tautune.trainables.grid.plan import check_stackable
from tautune.trainables.grid.point import OUTCOMES, POINTS, Course, Outcome, Point, Task
from tautune.trainables.grid.trial import GridTrial
from tautune.trainables.theory import stability
from tautune.trainables.theory.problem import Problem, ProblemParts
from tautune.trainables.theory.sharpness import largest_eigenvalue
from tautune.trainables.threshold.minimum import content_hash

Json = dict[str, Any]
TRIALS_PER_SLOT = 4
"""Of each CPU core (or GPU): what one trial is longer than another evens out."""
PRECISION = torch.float32
"""In which the points are trained, as any network is; theory's thresholds are from double precision."""
SMALLEST_TRIAL = {"cpu": 64, "cuda": 1024}
"""Points, unless there are fewer for each core or GPU: so many at once are fast."""
MARGIN = 4.0
"""Learning rates given by their number go from theory's lowest threshold over MARGIN to its highest times MARGIN."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What to train; see `tautune grid --help`."""

    study: StabilityStudy
    delays: tuple[int, ...]
    learning_rates: tuple[float, ...] | int
    """As they are, or so many on a logarithmic scale around theory's thresholds."""
    course: Course
    momentum: float = 0.0
    shifted: bool = False
    seeds: int = 1
    device: str = "cpu"
    points_per_trial: int | None = None
    """None: chosen, and how many of them train at once measured."""

    def configuration(self, content: str) -> Json:
        """What two runs must share to share a folder. Delays, learning rates and seeds may be added to it."""
        return {
            "study": self.study.name,
            "content": content,
            "momentum": self.momentum,
            "shifted": self.shifted,
            "steps": self.course.steps,
            "mini_batch": self.course.mini_batch,
            "device": self.device,
            "precision": str(PRECISION),
            "bfloat16_queue": self.course.storage is not None,
        }

    def points(self, sharpness: float) -> list[Point]:
        """Those that likely diverge first and together, so that stacks empty as a whole."""
        thresholds = {
            d: stability.max_stable_learning_rate(sharpness, d, self.momentum, shifted=self.shifted)
            for d in self.delays
        }
        rates = self.learning_rates
        if isinstance(rates, int):
            low, high = min(thresholds.values()) / MARGIN, max(thresholds.values()) * MARGIN
            rates = tuple(float(f"{rate:.6g}") for rate in np.geomspace(low, high, rates))
        points = [
            Point(d, rate, self.momentum, self.shifted, seed)
            for seed in range(self.seeds)
            for d in self.delays
            for rate in rates
        ]
        return sorted(points, key=lambda p: (p.seed, -p.learning_rate / thresholds[p.delay]))

    @property
    def resources(self) -> dict[str, float]:
        return {"CPU": 1, "GPU": 1} if self.device == "cuda" else {"CPU": 1}


def run_grid(grid: Grid, output: Folder, *, console: Console, started: float) -> GridSummary:
    """Trains the points that are missing in `output`, writes points.csv and the conclusions there and prints them.

    Args:
        started: `time.monotonic()` of the command's start, for the duration.

    Raises:
        InputError: `output` cannot be used, or memory does not hold the points that are to train at once.
        RunFailed: a trial failed.
        Interrupted: by Ctrl-C or SIGTERM; what was trained until then is kept.
    """
    problem = grid.study.problem()
    configuration = grid.configuration(content_hash(problem, tolerance=0.0))
    λ = _initial_sharpness(problem)
    points = grid.points(λ)
    with GridFolder(output, configuration) as folder:
        rows = folder.rows()
        missing = [point for point in points if point not in rows]
        with GridProgress(console, len(missing)) as progress:
            if missing:
                _run(grid, problem.cast(PRECISION), missing, rows, folder, progress, started)
            else:
                progress.say(f"everything asked for is in {folder.path} already")
        if rows:
            summary = _write(grid, rows, λ, folder)
        if any(point not in rows for point in missing):
            raise Interrupted(f"stopped; the points trained so far are in {folder.path}, the same command continues")
    console.print(grid_table(summary))
    wrote = f"{folder.path}: points.csv, grid.json, grid.png"
    seconds = time.monotonic() - started
    console.print(f"{wrote}; {seconds:.1f} s, Ray's start included", soft_wrap=True, highlight=False)
    return summary


def _initial_sharpness(problem: Problem) -> float:
    """λ at the initial weights. Raises InputError where the loss bends up in no direction."""
    x = problem.point
    λ = largest_eigenvalue(lambda v: problem.hessian_vector_product(x, v), x, tolerance=1e-4).value
    if not λ > 0:
        raise InputError("the loss has no positive curvature at the initial weights: theory has no threshold there")
    return λ


def _run(
    grid: Grid,
    problem: Problem,
    missing: list[Point],
    rows: dict[Point, Outcome],
    folder: GridFolder,
    progress: GridProgress,
    started: float,
) -> None:
    """Everything that takes Ray; what comes of the points goes into `rows` and the folder."""
    starts = {seed: grid.study.start(seed).to(PRECISION) for seed in {p.seed for p in missing}}
    reason = check_stackable(Task(problem, starts, grid.course))
    if reason:
        progress.say(f"{grid.study.name} cannot train several points at once, so one after another: {reason}")
    runs = folder.run.get("runs", [])
    this_run = {"started": now(), "points": len(missing), **provenance()}
    folder.keep_run(runs=[*runs, this_run])
    folder.write(rows)
    shared = {
        "points": np.array(missing, dtype=POINTS),
        "problem": ProblemParts.of(problem),
        "starts": {seed: x.numpy() for seed, x in starts.items()},
        "course": grid.course,
        "device": grid.device,
        "stackable": reason is None,
        "at_once": grid.points_per_trial,
    }
    kept = _Results(missing, rows, folder, progress)
    try:
        with ray_session():
            check_storage(folder.path)
            _train(grid, shared, kept, folder)
    except KeyboardInterrupt:
        return
    this_run |= {"finished": now(), "duration_seconds": round(time.monotonic() - started, 1), **kept.how}
    folder.keep_run(runs=[*runs, this_run])


def _train(grid: Grid, shared: Json, kept: "_Results", folder: GridFolder) -> None:
    import ray

    kind = "GPU" if grid.device == "cuda" else "CPU"
    slots = max(1, int(ray.cluster_resources().get(kind, 1)))
    on_a_node = max(1.0, max(node["Resources"].get(kind, 0.0) for node in ray.nodes()))
    shared["memory_share"] = 1.0 if grid.device == "cuda" else 1 / on_a_node
    size = grid.points_per_trial or trial_size(len(kept.points), slots, SMALLEST_TRIAL[grid.device])
    edges = [*range(0, len(kept.points), size), len(kept.points)]
    bounds = tune.grid_search(list(zip(edges, edges[1:], strict=False)))
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "600")  # what is needed from a killed run is in points.csv
    results = tune.Tuner(
        tune.with_resources(tune.with_parameters(GridTrial, **shared), grid.resources),
        param_space={"bounds": bounds},
        tune_config=tune.TuneConfig(reuse_actors=True, trial_dirname_creator=_dirname),
        run_config=tune.RunConfig(
            name="trials",
            **ray_storage(folder.path),
            callbacks=[kept],
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            verbose=0,
        ),
    ).fit()
    if kept.failure:
        raise InputError(f"{kept.failure}; give fewer --points-per-trial, a smaller model or shorter delays")
    for result in results:
        if result.error:
            raise trial_failed("a trial", result.error, result.path)


def trial_size(points: int, slots: int, smallest: int) -> int:
    """Points of one trial: several trials for each of the `slots`, but none smaller than is fast."""
    return max(math.ceil(points / (TRIALS_PER_SLOT * slots)), min(smallest, math.ceil(points / slots)))


def _dirname(trial: Any) -> str:
    first, last = trial.config["bounds"]
    return f"points={first}-{last - 1}"


class _Results(tune.Callback):
    """Keeps what came of every point, in memory and on disk, as it comes."""

    def __init__(
        self, points: Sequence[Point], rows: dict[Point, Outcome], folder: GridFolder, progress: GridProgress
    ) -> None:
        self.points, self.rows, self.folder, self.progress = points, rows, folder, progress
        self.done, self.diverged = 0, 0
        self.failure = ""
        self.how: Json = {}

    def __getstate__(self) -> Json:
        return {}  # Tune pickles its callbacks into a file; this one is not needed from there

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Json, **info: Any) -> None:
        self.failure = self.failure or result["failure"]
        if result["failure"]:
            return
        new = [(self.points[number], outcome) for number, outcome in result["rows"]]
        new = [row for row in new if row[0] not in self.rows]  # a trial that was begun again repeats them
        self.rows.update(new)
        self.folder.append(new)
        self.done += len(new)
        self.diverged += sum(outcome.diverged for _, outcome in new)
        self.how = {"at_once": result["at_once"], "seconds_by_number_at_once": result["measured"]}
        if self.done:
            self.progress.show(self.done, self.diverged, result["at_once"])


def _write(grid: Grid, rows: dict[Point, Outcome], sharpness: float, folder: GridFolder) -> GridSummary:
    """points.csv in order, grid.json, grid.png and, for TensorBoard, both again."""
    from tautune.analysis.grid_figure import grid_figure

    points = np.array(list(rows), dtype=POINTS)
    outcomes = np.array(list(rows.values()), dtype=OUTCOMES)
    summary = conclude(
        points, outcomes, study=grid.study.name, momentum=grid.momentum, shifted=grid.shifted, sharpness=sharpness
    )
    folder.write(rows)
    write_json(folder.path / "grid.json", summary.as_json())
    picture = io.BytesIO()
    grid_figure(summary).savefig(picture, format="png", dpi=130)
    write_bytes(folder.path / "grid.png", picture.getvalue())
    _write_summary(folder.path / "summary", summary, picture)
    return summary


def _write_summary(path: Folder, grid: GridSummary, picture: io.BytesIO) -> None:
    from PIL import Image
    from torch.utils.tensorboard import SummaryWriter

    with written_locally(path) as folder, SummaryWriter(str(folder)) as writer:
        for row in grid.rows:
            for name in ("best_learning_rate", "best_loss", "best_accuracy", "largest_learning_rate", "theory"):
                value = getattr(row, name)
                if value is not None:
                    writer.add_scalar(f"grid/{name}", value, row.delay)
        writer.add_image("grid", np.asarray(Image.open(picture).convert("RGB")), dataformats="HWC")
