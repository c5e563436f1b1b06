"""Runs a delay × learning-rate grid with Ray Tune, in few trials of many points each."""

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import ray
from ray import tune

from tautune.analysis.grids import GridSummary, conclude
from tautune.cluster.session.fit import fit
from tautune.cluster.session.session import ray_session
from tautune.cluster.session.storage_probe import check_storage
from tautune.records.errors import AGAIN, InputError, Interrupted, trial_failed
from tautune.records.grid_folder import GridFolder
from tautune.records.provenance import now
from tautune.runners.begun import begun
from tautune.runners.grid import IN_WORKERS
from tautune.runners.grid_plan import GridPlan
from tautune.runners.listeners import STARTING, GridListener
from tautune.runners.stacks_tuner import stacks_tuner
from tautune.trainables.grid.plan import check_stackable
from tautune.trainables.grid.point import OUTCOMES, POINTS, Outcome, Point
from tautune.trainables.grid.trial import GridTrial
from tautune.trainables.theory.problem import ProblemParts

Json = dict[str, Any]
TRIALS_PER_SLOT = 4
"""Number of trials per CPU core or GPU: enough to even out their different durations."""
SMALLEST_TRIAL = {"cpu": 64, "cuda": 1024}
"""Smallest number of points in a trial, unless a core or GPU gets fewer in all: this many points at once are fast."""
MEASURING = "measuring how many points train at once"
STATE_SECONDS = "600"
"""Time in seconds between two writes of Tune's own state: a restarted run needs only points.csv."""


def run_grid(plan: GridPlan, rows: dict[Point, Outcome], folder: GridFolder, listener: GridListener) -> None:
    """Trains the points that `rows` lacks, and adds each outcome to `rows` and to the folder as it arrives.

    If Ctrl-C or SIGTERM stops the run, the function returns before all points are trained.

    Raises:
        InputError: memory does not hold the points that train at once, or a node cannot write to the storage.
        RunFailed: a trial failed.
    """
    missing = plan.missing(rows)
    listener.begun(len(missing))
    task = plan.task(missing)
    reason = check_stackable(task)
    if reason:
        listener.say(f"{plan.study.name} cannot train several points at once, so they train one by one: {reason}")
    folder.keep_run(sharpness=plan.sharpness)
    folder.begin(**begun(plan.grid.study, listener.started), points=len(missing))
    folder.write(rows)
    shared = {
        "points": np.array(missing, dtype=POINTS),
        "problem": ProblemParts.of(plan.problem),
        "starts": {seed: x.numpy() for seed, x in task.starts.items()},
        "course": plan.course,
        "device": plan.device,
        "stackable": reason is None,
        "at_once": plan.grid.points_per_trial,
    }
    keeper = _OutcomeKeeper(missing, rows, folder, listener)
    try:
        listener.doing(STARTING)
        with ray_session(in_workers=IN_WORKERS):
            check_storage(folder.path)
            listener.doing("preparing the first points" if plan.grid.points_per_trial else MEASURING)
            with _seldom_saved_state():
                _train(plan, shared, keeper)
    except KeyboardInterrupt:
        return
    ended = {} if plan.missing(rows) else {"finished": now()}  # Tune returns after Ctrl-C too
    folder.end(**ended, duration_seconds=round(time.monotonic() - listener.started, 1), **keeper.how)


def concluded(plan: GridPlan, rows: dict[Point, Outcome]) -> GridSummary:
    """Returns the conclusions from the points trained so far."""
    return conclude(
        np.array(list(rows), dtype=POINTS),
        np.array(list(rows.values()), dtype=OUTCOMES),
        study=plan.study.name,
        momentum=plan.grid.momentum,
        sharpness=plan.sharpness,
    )


def check_whole(plan: GridPlan, rows: dict[Point, Outcome], folder: GridFolder) -> None:
    """Raises Interrupted if a point is missing."""
    if plan.missing(rows):
        raise Interrupted(f"stopped; the points trained so far are in {folder.path}", AGAIN)


def trial_size(points: int, slots: int, smallest: int) -> int:
    """Returns the number of points in a trial: each of the `slots` gets several trials, but none that is too small."""
    return max(math.ceil(points / (TRIALS_PER_SLOT * slots)), min(smallest, math.ceil(points / slots)))


def _train(plan: GridPlan, shared: Json, keeper: "_OutcomeKeeper") -> None:
    kind = "GPU" if plan.device == "cuda" else "CPU"
    slots = max(1, int(ray.cluster_resources().get(kind, 1)))
    on_a_node = max(1.0, max(node["Resources"].get(kind, 0.0) for node in ray.nodes()))
    shared["memory_share"] = 1.0 if plan.device == "cuda" else 1 / on_a_node
    size = plan.grid.points_per_trial or trial_size(len(keeper.points), slots, SMALLEST_TRIAL[plan.device])
    edges = [*range(0, len(keeper.points), size), len(keeper.points)]
    parts = list(zip(edges, edges[1:], strict=False))
    trainable = tune.with_resources(tune.with_parameters(GridTrial, **shared), plan.resources)
    tuner = stacks_tuner(trainable, parts, keeper.folder.path, keeper, trained="points")
    results = fit(tuner)
    if keeper.failure:
        raise InputError(f"{keeper.failure}; give fewer points per trial, a smaller model or shorter delays")
    for result in results:
        if result.error:
            raise trial_failed("a trial", result.error, result.path)


@contextmanager
def _seldom_saved_state() -> Iterator[None]:
    """Makes Tune write its own state seldom inside this context, unless the user has set how often."""
    name = "TUNE_GLOBAL_CHECKPOINT_S"
    if name in os.environ:
        yield
        return
    os.environ[name] = STATE_SECONDS
    try:
        yield
    finally:
        del os.environ[name]


class _OutcomeKeeper(tune.Callback):
    """Keeps every outcome, in memory and on disk, as it arrives, and tells the listener."""

    def __init__(
        self, points: Sequence[Point], rows: dict[Point, Outcome], folder: GridFolder, listener: GridListener
    ) -> None:
        self.points, self.rows, self.folder, self.listener = points, rows, folder, listener
        self.done, self.diverged = 0, 0
        self.failure = ""
        self.how: Json = {}

    def __getstate__(self) -> Json:
        return {}  # Tune pickles its callbacks into a file, from which this one is never loaded

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Json, **info: Any) -> None:
        self.failure = self.failure or result["failure"]
        if result["failure"]:
            return
        new = [(self.points[number], outcome) for number, outcome in result["rows"]]
        new = [row for row in new if row[0] not in self.rows]  # a restarted trial repeats points
        self.rows.update(new)
        self.folder.append(new)
        self.done += len(new)
        self.diverged += sum(outcome.diverged for _, outcome in new)
        self.how = {"at_once": result["at_once"], "seconds_by_number_at_once": result["measured"]}
        if self.done:
            self.listener.trained(self.done, self.diverged, result["at_once"])
