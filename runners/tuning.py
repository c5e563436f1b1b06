"""A tuning in four steps: check (`tuning_checks`), plan, run, conclude. Only `run` needs Ray."""

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tautune.analysis.trial_names import varying_in
from tautune.cluster.session.capacity import holds, largest, node_shapes
from tautune.cluster.session.fit import fit
from tautune.cluster.session.storage_probe import check_storage
from tautune.records.errors import InputError, Interrupted, RunFailed, trial_failed
from tautune.records.provenance import now, provenance, time_of
from tautune.records.storage import Folder
from tautune.records.tuning_folder import TuningFolder
from tautune.runners.drawn import many_pending
from tautune.runners.gradient_search import Slope
from tautune.runners.longer import Longer, choose_longer
from tautune.runners.ray_tuner import make_loop, make_trainable, make_tuner
from tautune.runners.slope import make_slope
from tautune.runners.trial_callback import EndedInThread, TrialCallback
from tautune.runners.trials import Trials, failure_file, name_of
from tautune.runners.tuning_board import TuningBoard
from tautune.runners.tuning_checks import check_extensible, is_whole
from tautune.runners.tuning_data import load_data, make_splits, try_models
from tautune.runners.tuning_job import Tuning, tuning_of
from tautune.runners.tuning_journal import TuningJournal, events_of
from tautune.runners.tuning_listener import TuningListener
from tautune.runners.with_workers import placed
from tautune.search_spaces.loop_study import LoopStudy
from tautune.search_spaces.sequences import Text
from tautune.search_spaces.tuning_study import TuningStudy


@dataclass(frozen=True)
class Plan:
    """What is to run."""

    tuning: Tuning
    trainable: Callable[[], Any]
    """Makes the trainable, in a Ray session."""
    digest: dict[str, str] = field(default_factory=dict)
    """What run.json says of the data: which text a language model was trained on."""
    slope: Slope | None = None
    """What the search gradient goes down."""
    experiment: str = "trials"
    """Name of Ray Tune's experiment, and of its folder: an extension has one of its own."""
    resumed: bool = False
    longer: Longer | None = None
    """The trials that go on; None for a plan of new ones."""


def plan_tuning(tuning: Tuning) -> Plan:
    """Returns the plan of a new tuning, whose data were loaded and of whose space one model was built.

    Raises:
        InputError: that was not possible.
    """
    return _plan(tuning, new=True)


def plan_resume(folder: TuningFolder, study: TuningStudy | LoopStudy | None = None) -> Plan | None:
    """Returns what is left of a tuning that was stopped, or None.

    Args:
        study: the one that was tuned, where it has no name or file by which it can be found.
    """
    if is_whole(folder.path, folder.run):
        return None
    last = folder.run["runs"][-1]
    plan = _plan(replace(tuning_of(folder.run, folder.path, study), trials=last["trials"]))
    longer = Longer(last["longer"], tuple(last["lengthened"])) if "longer" in last else None
    return replace(plan, experiment=last["experiment"], resumed=True, longer=longer)


def plan_extension(folder: TuningFolder, trials: int, study: TuningStudy | LoopStudy | None = None) -> Plan:
    """Returns the plan of so many trials more, by the search and with what it has learned."""
    check_extensible(folder.path, folder.run)
    plan = _plan(replace(tuning_of(folder.run, folder.path, study), trials=trials))
    return replace(plan, experiment=_next_experiment(folder))


def plan_longer(folder: TuningFolder, by: int, study: TuningStudy | LoopStudy | None = None) -> Plan:
    """Returns the plan of training the finished trials further, from their checkpoints and without a scheduler.

    Raises:
        InputError: none of them can go on.
    """
    check_extensible(folder.path, folder.run, longer=True)
    tuning = tuning_of(folder.run, folder.path, study)
    longer = choose_longer(tuning, folder.path, events_of(folder.path), by)
    plan = _plan(replace(tuning, trials=len(longer.trials)) if tuning.search != "grid" else tuning)
    return replace(plan, experiment=_next_experiment(folder), longer=longer)


def _next_experiment(folder: TuningFolder) -> str:
    experiments = {run["experiment"] for run in folder.run["runs"]}
    return f"trials-{len(experiments) + 1}"


def _plan(tuning: Tuning, *, new: bool = False) -> Plan:
    if isinstance(tuning.study, LoopStudy):
        return Plan(tuning, partial(make_loop, tuning))
    data = load_data(tuning.study, tuning.data_dir)
    splits = make_splits(tuning, data)
    if new:
        try_models(tuning, data)
    digest = {"data_sha256": data.digest} if isinstance(data, Text) else {}
    return Plan(tuning, partial(make_trainable, tuning, data, splits), digest, make_slope(tuning, data, splits))


def check_cluster(tuning: Tuning, output: Folder) -> None:
    """Raises InputError if no node can hold a trial, or if a node cannot write the folder.

    Nodes that the cluster may still start count, too; without one, a trial would stay pending for ever.
    """
    wanted, shapes = tuning.resources, node_shapes()
    if not any(holds(shape, wanted) for shape in shapes):
        most = largest(shapes, wanted)
        raise InputError(
            f"a trial asks for {wanted['CPU']:g} CPU and {wanted['GPU']:g} GPU; the largest node has "
            f"{most['CPU']:g} CPU and {most['GPU']:g} GPU: lower the CPUs or GPUs per trial"
        )
    if tuning.places:
        placed(tuning.places, wanted)
    check_storage(output)


def run(plan: Plan, folder: TuningFolder, listener: TuningListener) -> TrialCallback:
    """Runs the trials, in a Ray session, and keeps what they report. Returns how they ended.

    Raises:
        RunFailed: Ray could not keep a trial running.
    """
    tuning = plan.tuning
    journal = TuningJournal(folder.path, plan.experiment)
    lengthened = plan.longer.trials if plan.longer else ()
    total = (0 if lengthened else tuning.samples) + journal.trials_of_other_experiments
    trials = Trials(folder.path, tuning.study.space, total, tuning.goal)
    board = TuningBoard(folder.path, folder.run["configuration"], tuning.goal)
    callback = TrialCallback(trials, journal, tuning.study, listener, budget=tuning.time_budget, board=board)
    trainable = plan.trainable()
    more: dict[str, Any] = {"longer": plan.longer.by, "lengthened": list(lengthened)} if plan.longer else {}
    began = time_of(listener.started)
    begun = {"experiment": plan.experiment, "started": began, "trials": tuning.trials, "resumed": plan.resumed}
    folder.begin(**begun, **more, **plan.digest, **provenance())
    with _resumable(folder.path):
        listener.run_began(trials, varying_in(folder.run["configuration"]))
        results = _results(plan, folder, callback, listener, trainable)
    for result in results:
        if result.error:
            raise trial_failed(f"trial {_folder_name(result.path)}", result.error, result.path)
    return callback


def _results(
    plan: Plan, folder: TuningFolder, callback: TrialCallback, listener: TuningListener, trainable: Any
) -> Any:
    """Returns what Ray Tune says of each trial; nothing if it was stopped, or if no trial was left."""
    lengthened = plan.longer.trials if plan.longer else ()
    for trial in lengthened:
        callback.journal.lengthened(trial, plan.longer.by if plan.longer else 0)
    misfits = map("points to start from: {}".format, plan.tuning.misfits)
    for line in (*misfits, *(plan.longer.notes if plan.longer else ())):
        listener.say(line)
    with callback, many_pending(plan.tuning.search):
        tuner = make_tuner(
            plan.tuning, trainable, folder, plan.experiment, callback, lengthened=len(lengthened), slope=plan.slope
        )
        try:
            with suppress(EndedInThread):
                return fit(tuner) if tuner else []
        except Exception:
            if callback.journal.error:
                raise callback.journal.error from None
            raise
    return []


def _folder_name(path: str) -> str:
    return path.rstrip("/").rsplit("/", 1)[-1]


def conclude(plan: Plan, folder: TuningFolder, ended: TrialCallback, listener: TuningListener) -> None:
    """Writes to run.json how the run ended, with its seconds, counted from the listener's start.

    Raises:
        RunFailed: a trial failed, or there is no best one.
        Interrupted: by Ctrl-C or SIGTERM; what was found until then is on disk, and `resume` goes on.
    """
    trials, budget_spent = ended.trials, ended.budget_spent
    seconds = round(time.monotonic() - listener.started, 1)
    fits = plan.tuning.folds * plan.tuning.repeats
    finished = trials.whole or budget_spent
    folder.end(
        duration_seconds=seconds,
        training_epochs=fits * sum(row["epochs_run"] for row in trials.rows.values()),
        stopped_by_budget=budget_spent and not trials.whole,
        **({"finished": now()} if finished else {}),
    )
    if trials.failed and (finished or trials.nothing_works):
        raise _failure(trials, folder.path)
    if not finished:
        raise _stopped(folder.path, _and_failures(trials))
    if not trials.rows:
        raise RunFailed(f"no trial finished an epoch in the time budget of {plan.tuning.time_budget:g} s; give more")
    if trials.best() is None and trials.first_good():
        limits = " and ".join(f"{name} at most {most:g}" for name, most in plan.tuning.goal.limits)
        raise RunFailed(f"no trial keeps {limits}; see {folder.path / 'trials.csv'}; allow more, or change the space")
    if trials.best() is None:
        raise RunFailed(
            f"every trial diverged; see {folder.path / 'trials.csv'}; lower the learning rates of the space"
        )
    front = ", pareto.json, pareto.png" if trials.goal.others else ""
    listener.concluded(folder.path, f"trials.csv, best.json{front}", seconds)


@contextmanager
def _resumable(folder: Folder) -> Iterator[None]:
    """Tells a stop before the first trial, which `fit` does not see, as one after it: the folder has changed."""
    try:
        yield
    except KeyboardInterrupt:
        raise _stopped(folder) from None


def _stopped(folder: Folder, failures: str = "") -> Interrupted:
    what = f"stopped; the trials so far are in {folder}{failures}"
    return Interrupted(what, f"tautune resume {shlex.quote(str(folder))}")


def _failure(trials: Trials, folder: Folder) -> RunFailed:
    first, file = trials.failed[0], failure_file(folder, trials.failed[0])
    values = ", ".join(f"{name}={value}" for name, value in first["config"].items())
    return RunFailed(
        f"{file.read_text().rstrip()}\n"
        f"tautune: {len(trials.failed)} of {len(trials.rows)} trials failed; "
        f"above is trial {name_of(first)} ({values}): {file}"
    )


def _and_failures(trials: Trials) -> str:
    failed = trials.failed
    if not failed:
        return ""
    many = f"{len(failed)} trials" if len(failed) > 1 else "1 trial"
    return f"; {many} failed: see {failure_file(trials.folder, failed[0])}"
