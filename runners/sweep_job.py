"""Runs a sweep with Ray Tune: finds the minimum unless it is known, then measures every delay in its own trial."""

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import ray
from ray import tune

from tautune.analysis.sweep_conclusion import conclude
from tautune.analysis.thresholds import Thresholds
from tautune.cluster.session.fit import fit
from tautune.cluster.session.session import RETRIES, ray_session
from tautune.cluster.session.storage_probe import check_storage
from tautune.records.errors import AGAIN, Interrupted, RunFailed, trial_failed
from tautune.records.provenance import now
from tautune.records.storage import ray_storage, typed
from tautune.records.sweep_folder import SweepFolder
from tautune.runners.begun import begun
from tautune.runners.delays_log import DelaysLog
from tautune.runners.descent_keeper import DescentKeeper, read_checkpoint
from tautune.runners.folder_watch import FolderWatch
from tautune.runners.giving_up import GivingUp
from tautune.runners.listeners import STARTING, SweepListener
from tautune.runners.own_code import OwnCode
from tautune.runners.sweep import IN_WORKERS, has_failed
from tautune.runners.sweep_board import SweepBoard
from tautune.runners.sweep_plan import SweepPlan
from tautune.runners.with_workers import placed, room_of
from tautune.trainables.theory.problem import ProblemParts
from tautune.trainables.threshold.minimum import Minimum
from tautune.trainables.threshold.passages import STEPS_OF_WORKERS
from tautune.trainables.threshold.record import Key, MeasurementRecord
from tautune.trainables.threshold.trial import DelayTrial, MinimumTrial

Json = dict[str, Any]


def run_sweep(plan: SweepPlan, folder: SweepFolder, listener: SweepListener) -> None:
    """Finds the minimum, unless `plan` knows it, and writes what `folder` lacks into it.

    Raises:
        InputError: a node cannot write to the storage.
        RunFailed: no minimum was reached, or a trial failed.
        Interrupted: Ctrl-C or SIGTERM stopped the run before the minimum was found.
    """
    sweep = plan.sweep
    try:
        listener.doing(STARTING)
        with ray_session(in_workers=IN_WORKERS):
            check_storage(folder.path)
            folder.keep_run(
                delays=sorted({*folder.run.get("delays", []), *sweep.delays}),
                seeds=max(sweep.repeats, folder.run.get("seeds", 0)),
            )
            entry = begun(sweep.study, listener.started)
            folder.begin(**entry, delays=list(sweep.delays), mini_batch_seeds=sweep.repeats)
            _find_minimum(plan, folder, listener)
            folder.keep_run(minimum=_described(plan))
            _measure(plan, folder, listener)
    except KeyboardInterrupt:
        raise stopped(folder) from None
    assert plan.minimum is not None
    ended = {} if plan.missing(folder) else {"finished": now()}  # Tune returns after Ctrl-C too
    folder.end(**ended, duration_seconds=round(time.monotonic() - listener.started, 1))


def concluded(plan: SweepPlan, records: Iterable[MeasurementRecord]) -> Thresholds:
    """Returns the thresholds that the measurements give at the plan's minimum."""
    return conclude(
        records,
        study=plan.study.name,
        sharpness=plan.place.sharpness,
        momentum=plan.sweep.momentum,
        update=plan.update,
        noise=plan.noise,
        mini_batch=plan.sweep.mini_batch,
        examples=len(plan.problem),
        wanted=plan.sweep.keys,
    )


def check_whole(plan: SweepPlan, folder: SweepFolder) -> None:
    """Raises RunFailed if a delay has no threshold, and Interrupted if a measurement is missing."""
    records = folder.records()
    failed = [key for key in plan.sweep.keys if key in records and has_failed(records[key])]
    if failed:
        raise RunFailed(
            f"no threshold was found at delay {failed[0][0]}: at all learning rates tried, training either always left "
            f"the minimum or never did; see {folder.path}"
        )
    if plan.missing(folder):
        raise stopped(folder)


def stopped(folder: SweepFolder) -> Interrupted:
    """Returns the error with which a stopped sweep ends."""
    return Interrupted(f"stopped; the measurements are in {folder.path}", AGAIN)


def _described(plan: SweepPlan) -> Json:
    names = ("sharpness", "loss", "gradient_norm", "gradient_evaluations")
    return {name: getattr(plan.place, name) for name in names} | {"examples": len(plan.problem)}


def _find_minimum(plan: SweepPlan, folder: SweepFolder, listener: SweepListener) -> None:
    if plan.minimum is not None:
        listener.say(f"the minimum of {plan.study.name} is known from an earlier run")
        return
    listener.say(f"training {plan.study.name} to its minimum")
    listener.doing("training to the minimum")
    sweep = plan.sweep
    trainable = tune.with_parameters(
        MinimumTrial, problem=ProblemParts.of(plan.problem), device=plan.device, begun=plan.cache.begun()
    )
    tuner = tune.Tuner(
        tune.with_resources(trainable, plan.resources),
        param_space={"tolerance": sweep.tolerance, "budget": sweep.budget},
        tune_config=tune.TuneConfig(trial_dirname_creator=lambda trial: "minimum"),
        run_config=_run_config(folder, [DescentKeeper(plan.cache, listener)], keep=2),
    )
    results = fit(tuner)
    if not len(results):  # Ctrl-C before there was a trial
        raise KeyboardInterrupt
    result = results[0]
    if result.error:
        raise trial_failed("the trial of minimum", result.error, result.path)
    metrics = result.metrics or {}
    if metrics.get("failure"):
        raise RunFailed(metrics["failure"])
    if not metrics.get("done") or result.checkpoint is None:
        raise KeyboardInterrupt
    plan.minimum = Minimum(**read_checkpoint(result.checkpoint)["minimum"])
    plan.cache.keep(plan.minimum)


def _measure(plan: SweepPlan, folder: SweepFolder, listener: SweepListener) -> None:
    settings = plan.missing(folder)
    if not settings:
        return
    assert plan.minimum is not None
    room: Any = plan.resources
    if plan.update and plan.update.workers:
        workers = placed(plan.update.workers, plan.resources)
        settings = [replace(one, update=replace(plan.update, workers=workers)) for one in settings]
        room = room_of(workers, plan.resources)
        listener.say(
            f"{workers} train near the minimum, at one learning rate after another, for up to some "
            f"{STEPS_OF_WORKERS:,} steps at each"
        )
    if known := len(plan.sweep.keys) - len(settings):
        listener.say(f"{known} of {len(plan.sweep.keys)} measurements are in {typed(folder.path)} already")
    listener.begun(plan.sweep.keys)
    keeper = _MeasurementKeeper(plan, folder, listener)
    trainable = tune.with_parameters(
        DelayTrial,
        problem=ProblemParts.of(plan.problem),
        device=plan.device,
        minimum=plan.place.state_dict(),
        settings={(s.delay, s.seed): s for s in settings},
        begun={key: record for key, record in keeper.records.items() if not has_failed(record)},
    )
    measurements = [{"delay": s.delay, "seed": s.seed} for s in settings]  # short, since Tune displays it
    slots = ray.cluster_resources().get("CPU", 1) / plan.resources["CPU"]
    tuner = tune.Tuner(
        tune.with_resources(trainable, room),
        param_space={"measurement": tune.grid_search(measurements)},
        # Where all trials fit at once, the first actors to start must not take over the trials of other hosts.
        tune_config=tune.TuneConfig(reuse_actors=len(settings) > slots, trial_dirname_creator=_dirname),
        run_config=_run_config(folder, [keeper], keep=1),
    )
    for result in fit(tuner):
        if result.error:
            delay = result.config["measurement"]["delay"]
            raise trial_failed(f"the trial of delay {delay}", result.error, result.path)


class _MeasurementKeeper(tune.Callback):
    """Writes every measurement to disk as it arrives, and tells the listener what is known so far."""

    def __init__(self, plan: SweepPlan, folder: SweepFolder, listener: SweepListener) -> None:
        self.plan, self.folder, self.listener = plan, folder, listener
        self.records: dict[Key, MeasurementRecord] = folder.records()

    def __getstate__(self) -> Json:
        return {}  # Tune pickles its callbacks into a file, from which this one is never loaded

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Json, **info: Any) -> None:
        record: MeasurementRecord = replace(result["record"], host=result["hostname"])
        self.folder.keep(record)
        self.records[record.key] = record
        known = concluded(self.plan, self.records.values())
        self.listener.measured(known, self.folder.run["delays"], self.records)


def _run_config(folder: SweepFolder, callbacks: Iterable[tune.Callback], *, keep: int) -> tune.RunConfig:
    watching = GivingUp(lambda trial: _name(trial.config)), OwnCode(folder.path, _name)
    return tune.RunConfig(
        name=folder.trials.name,
        **ray_storage(folder.path),
        callbacks=[FolderWatch(folder.path), *watching, SweepBoard(folder.path), DelaysLog(folder.trials), *callbacks],
        checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1, num_to_keep=keep, checkpoint_at_end=True),
        failure_config=tune.FailureConfig(max_failures=RETRIES),
        verbose=0,
    )


def _name(config: Json) -> str:
    measurement = config.get("measurement")
    return f"the trial of delay {measurement['delay']}" if measurement else "the training to the minimum"


def _dirname(trial: Any) -> str:
    return "delay={delay}_seed={seed}".format(**trial.config["measurement"])
