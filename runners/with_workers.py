"""Tunings whose gradients are computed by workers or stages: what goes with that, and what room a trial takes."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

from ray.tune import PlacementGroupFactory

from tautune.cluster.session.capacity import Resources, holds, node_shapes
from tautune.records.errors import InputError
from tautune.runners.methods import POPULATION
from tautune.search_spaces.loop_study import LoopStudy
from tautune.search_spaces.space import domain_of
from tautune.trainables.asynchronous.modes import parse_mode
from tautune.trainables.asynchronous.settings import Places, Stages, Workers, missing

LEAST = 0.01
"""Share of a CPU that a worker takes at least where the cluster has fewer CPUs than a trial could use."""
Given = TypeVar("Given", bound=Workers | Stages)


def check_with_workers(tuning: Any) -> None:
    """Raises InputError if a tuning asks for what is not done with workers, or not with stages."""
    if tuning.workers and tuning.stages:
        raise InputError(
            "stages are those of a pipeline, and workers those of a parameter server: leave one of them out"
        )
    its, them = tuning.places, f"{tuning.places.noun}s"
    name, space = tuning.study.name, tuning.study.space
    if isinstance(tuning.study, LoopStudy):
        own = "AsynchronousPipeline" if isinstance(its, Stages) else "AsynchronousTraining"
        raise InputError(f"{them} must be left out: {name} is a loop of its own; tautune.{own} is for it")
    if "delay" in space and domain_of(space["delay"]) != 0:
        raise InputError(
            f"{them} must be left out where delay is a hyperparameter: their gradients are late by themselves"
        )
    if "normalized_rate" in space:
        raise InputError(
            f"{them} must be left out where normalized_rate is a hyperparameter: it is a share of the largest rate at "
            "a delay that is known before"
        )
    for option, value in (("folds", tuning.folds), ("repeats", tuning.repeats)):
        if value > 1:
            raise InputError(f"{option} must be left out with {them}, which train on one split at a time")
    if tuning.scheduler in POPULATION:
        raise InputError(f"scheduler {tuning.scheduler} changes what {them} are in the midst of; take asha or another")
    if tuning.search == "gradient":
        raise InputError(f"search gradient differentiates through a training without {them}; take another search")
    if isinstance(its, Stages) and tuning.gpus_per_trial:
        raise InputError("gpus_per_trial must be left out with stages, which compute on CPUs")
    _check_remedy(tuning)


def _check_remedy(tuning: Any) -> None:
    if domain_of(tuning.study.space.get("remedy", "none")) == "none":
        return
    if tuning.stages:
        raise InputError("stages must be left out where remedy is a hyperparameter: they have none")
    if parse_mode(tuning.workers.mode).answers_at_once:
        raise InputError(
            f"mode {tuning.workers.mode} must be left out where remedy is a hyperparameter: a remedy takes gradients "
            "of one age, and a buffer averages those of several"
        )


def placed(places: Given, trial: Resources) -> Given:
    """Returns workers or stages with the CPUs that each of them takes, in a Ray session.

    Raises:
        InputError: the cluster cannot hold them beside the trial's own process; says what is missing.
    """
    shapes = node_shapes()
    cpus, gpus = (max(0.0, _sum(shapes, kind) - trial.get(kind, 0.0)) for kind in ("CPU", "GPU"))
    if places.cpus is None:
        fair = int(100 * cpus / places.count) / 100
        places = replace(places, cpus=min(1.0, max(LEAST, fair)))
    each, noun = _each(places), places.noun
    lacking = missing(places, cpus, gpus)
    if not lacking and not any(holds(shape, each) for shape in shapes):
        lacking = f"a {noun} takes {each['CPU']:g} CPU and {each['GPU']:g} GPU, and no node has as much"
    if lacking:
        raise InputError(f"{lacking}; take fewer {noun}s, or lower the CPUs or GPUs per {noun} or per trial")
    return places


def room_of(places: Places, trial: Resources) -> PlacementGroupFactory:
    """Returns the placement group of a trial: the trial itself, a parameter server, say, and each worker or stage.

    They are spread over the nodes as far as there are several.
    """
    return PlacementGroupFactory([trial, *[_each(places) for _ in range(places.count)]], strategy="SPREAD")


def _each(places: Places) -> Resources:
    return {"CPU": places.cpus or LEAST, "GPU": places.gpus}


def _sum(shapes: Iterable[Resources], kind: str) -> float:
    return sum(shape.get(kind, 0.0) for shape in shapes)
