"""Trains runs to their edge of stability with Ray Tune, those of one delay in one trial."""

import time
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from ray import tune

from tautune.analysis.edges import Edges, conclude
from tautune.cluster.session.fit import fit
from tautune.cluster.session.session import ray_session
from tautune.cluster.session.storage_probe import check_storage
from tautune.records.edge_folder import EdgeFolder
from tautune.records.errors import AGAIN, Interrupted, trial_failed
from tautune.records.provenance import now
from tautune.runners.begun import begun
from tautune.runners.edge import IN_WORKERS
from tautune.runners.edge_plan import EdgePlan
from tautune.runners.listeners import EdgeListener
from tautune.runners.stacks_tuner import stacks_tuner
from tautune.trainables.edge.following import Sample
from tautune.trainables.edge.runs import Run
from tautune.trainables.edge.trial import EdgeTrial
from tautune.trainables.grid.plan import check_stackable
from tautune.trainables.grid.point import Course, Task
from tautune.trainables.theory.problem import ProblemParts

Json = dict[str, Any]
TOGETHER = 16
"""Trainings of one delay in a trial at most: more gain little, and are lost together when a run is stopped."""
KEPT_SECONDS = 2.0
"""Time between two writes of the table, in seconds."""


def run_edge(plan: EdgePlan, samples: list[Sample], folder: EdgeFolder, listener: EdgeListener) -> None:
    """Trains the runs that have no end in `samples`, and adds what is seen to `samples` and to the folder.

    If Ctrl-C or SIGTERM stops the run, the function returns before all have ended.

    Raises:
        InputError: a node cannot write to the storage.
        RunFailed: a trial failed.
    """
    missing = plan.missing(samples)
    again = set(missing)
    samples[:] = [sample for sample in samples if sample.run not in again]  # a part of a training is trained anew
    starts = {seed: plan.study.start(seed).float() for seed in {run.seed for run in missing}}
    plan.problem.model.eval()
    reason = check_stackable(Task(plan.problem, starts, Course(steps=plan.edge.steps)))
    listener.begun(len(missing), plan.edge.steps)
    if reason:
        listener.say(f"{plan.study.name} cannot train several runs at once, so they train one by one: {reason}")
    folder.begin(**begun(plan.edge.study, listener.started), trainings=len(missing))
    shared = {
        "runs": [tuple(run) for run in missing],
        "problem": ProblemParts.of(plan.problem),
        "starts": {seed: x.numpy() for seed, x in starts.items()},
        "optimizer": plan.edge.optimizer,
        "decay": plan.edge.decay,
        "steps": plan.edge.steps,
        "every": plan.edge.every,
        "stacked": reason is None,
        "device": plan.device,
    }
    keeper = _SampleKeeper(samples, folder, listener)
    try:
        with ray_session(in_workers=IN_WORKERS):
            check_storage(folder.path)
            _train(plan, bounds(missing), shared, keeper)
    except KeyboardInterrupt:
        return
    finally:
        folder.write(samples)
    ended = {} if plan.missing(samples) else {"finished": now()}  # Tune returns after Ctrl-C too
    folder.end(**ended, duration_seconds=round(time.monotonic() - listener.started, 1))


def bounds(runs: Sequence[Run]) -> list[tuple[int, int]]:
    """Returns the first and the last (itself excluded) of each trial's runs: they have one delay."""
    found, at = [], 0
    for _, own in groupby(runs, key=lambda run: run.delay):
        end = at + len(list(own))
        found += [(first, min(first + TOGETHER, end)) for first in range(at, end, TOGETHER)]
        at = end
    return found


def concluded(plan: EdgePlan, samples: Sequence[Sample]) -> Edges:
    """Returns the conclusions from what was seen so far of the runs that are asked for."""
    return conclude(
        samples,
        study=plan.study.name,
        optimizer=plan.edge.optimizer,
        decay=plan.edge.decay if plan.edge.divides else None,
        steps=plan.edge.steps,
        sharpness=plan.sharpness,
    )


def check_whole(plan: EdgePlan, samples: Sequence[Sample], folder: EdgeFolder) -> None:
    """Raises Interrupted if a training has not come to its end."""
    if plan.missing(samples):
        raise Interrupted(f"stopped; the trainings that ended are in {folder.path}", AGAIN)


def _train(plan: EdgePlan, parts: list[tuple[int, int]], shared: Json, keeper: "_SampleKeeper") -> None:
    resources = {"CPU": 1, "GPU": 1} if plan.device == "cuda" else {"CPU": 1}
    trainable = tune.with_resources(tune.with_parameters(EdgeTrial, **shared), resources)
    tuner = stacks_tuner(trainable, parts[::-1], keeper.folder.path, keeper, trained="runs")  # long delays take longest
    for result in fit(tuner):
        if result.error:
            raise trial_failed("a trial", result.error, result.path)


class _SampleKeeper(tune.Callback):
    """Keeps what is seen, in memory and on disk, as it arrives, and tells the listener."""

    def __init__(self, samples: list[Sample], folder: EdgeFolder, listener: EdgeListener) -> None:
        self.samples, self.folder, self.listener = samples, folder, listener
        self.seen = {(sample.run, sample.step) for sample in samples}
        self.written = 0.0

    def __getstate__(self) -> Json:
        return {}  # Tune pickles its callbacks into a file, from which this one is never loaded

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Json, **info: Any) -> None:
        new = [Sample(*values) for values in result["samples"]]
        new = [sample for sample in new if (sample.run, sample.step) not in self.seen]  # a restarted trial repeats them
        self.seen |= {(sample.run, sample.step) for sample in new}
        self.samples += new
        if time.monotonic() - self.written > KEPT_SECONDS:
            self.folder.write(self.samples)
            self.written = time.monotonic()
        self.listener.seen(self.samples)
