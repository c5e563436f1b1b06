"""Tunings whose gradients are computed by workers: what goes with that, and what room a trial takes."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ray.tune import PlacementGroupFactory

from tautune.cluster.session.capacity import Resources, holds, node_shapes
from tautune.records.errors import InputError
from tautune.runners.methods import POPULATION
from tautune.search_spaces.loop_study import LoopStudy
from tautune.search_spaces.space import domain_of
from tautune.trainables.asynchronous.settings import Workers

LEAST = 0.01
"""Share of a CPU that a worker takes at least where the cluster has fewer CPUs than a trial could use."""


def check_with_workers(tuning: Any) -> None:
    """Raises InputError if a tuning asks for what is not done with workers."""
    name, space = tuning.study.name, tuning.study.space
    if isinstance(tuning.study, LoopStudy):
        raise InputError(
            f"workers must be left out: {name} is a loop of its own; tautune.AsynchronousTraining is for it"
        )
    if "delay" in space and domain_of(space["delay"]) != 0:
        raise InputError(
            "workers must be left out where delay is a hyperparameter: their gradients are late by themselves"
        )
    for option, value in (("folds", tuning.folds), ("repeats", tuning.repeats)):
        if value > 1:
            raise InputError(f"{option} must be left out with workers, which train on one split at a time")
    if tuning.scheduler in POPULATION:
        raise InputError(f"scheduler {tuning.scheduler} changes what workers are in the midst of; take asha or another")
    if tuning.search == "gradient":
        raise InputError("search gradient differentiates through a training without workers; take another search")


def placed(workers: Workers, trial: Resources) -> Workers:
    """Returns the workers with the CPUs that each of them takes, in a Ray session.

    Raises:
        InputError: the cluster cannot hold them beside the trial's own process; says what is missing.
    """
    shapes = node_shapes()
    cpus, gpus = (max(0.0, _sum(shapes, kind) - trial.get(kind, 0.0)) for kind in ("CPU", "GPU"))
    if workers.cpus is None:
        fair = int(100 * cpus / workers.count) / 100
        workers = replace(workers, cpus=min(1.0, max(LEAST, fair)))
    each = _each(workers)
    missing = workers.missing(cpus, gpus)
    if not missing and not any(holds(shape, each) for shape in shapes):
        missing = f"a worker takes {each['CPU']:g} CPU and {each['GPU']:g} GPU, and no node has as much"
    if missing:
        raise InputError(f"{missing}; take fewer workers, or lower the CPUs or GPUs per worker or per trial")
    return workers


def room_of(workers: Workers, trial: Resources) -> PlacementGroupFactory:
    """Returns the placement group of a trial: the parameter server, which is the trial itself, and each worker.

    They are spread over the nodes as far as there are several.
    """
    return PlacementGroupFactory([trial, *[_each(workers) for _ in range(workers.count)]], strategy="SPREAD")


def _each(workers: Workers) -> Resources:
    return {"CPU": workers.cpus or LEAST, "GPU": workers.gpus}


def _sum(shapes: Iterable[Resources], kind: str) -> float:
    return sum(shape.get(kind, 0.0) for shape in shapes)
