"""Tuning a classifier as a Ray Tune job: many configurations, the best kept with what it was compared on."""

import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ray import tune
from ray.tune.search import Searcher
from rich.console import Console
from tautune.commands.sweep_progress import show_hosts

from tautune.cluster.session.session import IN_TUNING, RETRIES, ray_session
from tautune.cluster.session.storage_probe import check_storage
from tautune.records.errors import InputError, Interrupted, RunFailed, trial_failed
from tautune.records.provenance import now, provenance
from tautune.records.storage import Folder, ray_storage, read_locally, restored_tuner
from tautune.records.tuning_folder import TuningFolder, check_new, make_folder
from tautune.runners import schedulers as scheduling
from tautune.runners import searches as searching
from tautune.runners.tensorboard_log import TensorBoardLog
from tautune.runners.trial_table import TrialTable, results_table
from tautune.runners.tuning_job import Tuning, check_feasible, load_data, make_splits, try_model, tuning_of
from tautune.trainables.classifier.datasets import ImageData
from tautune.trainables.classifier.splits import Split
from tautune.trainables.classifier.trial import ClassifierTrial

Json = dict[str, Any]
CHECKPOINTS = 4
"""Kept of each trial: enough that the experiment's state, some ten seconds old, never names one that is gone."""


def run_tuning(tuning: Tuning, output: Folder, *, console: Console, started: float) -> Json:
    """Runs the trials into a new folder: trials.csv, best.json and run.json. Prints and returns the best.

    Args:
        started: `time.monotonic()` of the command's start, for the duration.

    Raises:
        InputError: the folder holds something, the data are not to be had, or no node has what a trial asks for.
        RunFailed: a trial failed, or every trial diverged.
        Interrupted: by Ctrl-C or SIGTERM; what was found until then is written, and `resume` goes on.
    """
    output = check_new(output)
    data = load_data(tuning.study, tuning.data_dir)
    try_model(tuning.study, data)
    with ray_session(in_workers=IN_TUNING):
        found = make_splits(tuning, data)
        check_feasible(tuning)
        check_storage(output)
        make_folder(output)
        with TuningFolder(output, tuning.configuration()) as folder:
            return _run(tuning, data, found, folder, "trials", console=console, started=started)


def resume_tuning(path: Folder, *, console: Console, started: float) -> Json | None:
    """Goes on with a tuning that was stopped, from the trials' checkpoints; None if there is nothing left to do."""
    with TuningFolder(path) as folder:
        tuning, last = tuning_of(folder.run, path), folder.run["runs"][-1]
        if "finished" in last and not last["stopped_by_budget"]:
            console.print(f"nothing is left to do in {path}; `tautune extend` tries more configurations")
            return None
        tuning = replace(tuning, trials=last["trials"])
        return _go_on(tuning, folder, last["experiment"], console=console, started=started, resume=True)


def extend_tuning(path: Folder, trials: int, *, console: Console, started: float) -> Json:
    """Tries so many configurations more, with what the search has learned."""
    with TuningFolder(path) as folder:
        runs = folder.run["runs"]
        tuning = tuning_of(folder.run, path)
        if "finished" not in runs[-1]:
            raise InputError(f"{path} was stopped before its end; go on with `tautune resume {path}` first")
        if tuning.search == "grid":
            raise InputError(f"{path} is a grid: all of its configurations were tried")
        if tuning.scheduler in (*scheduling.POPULATION, "hyperband"):
            raise InputError(f"{path} used {tuning.scheduler}, whose trials live together: none can join later")
        experiment = f"trials-{len({run['experiment'] for run in runs}) + 1}"
        return _go_on(replace(tuning, trials=trials), folder, experiment, console=console, started=started)


def _go_on(
    tuning: Tuning, folder: TuningFolder, experiment: str, *, console: Console, started: float, resume: bool = False
) -> Json:
    data = load_data(tuning.study, tuning.data_dir)
    with ray_session(in_workers=IN_TUNING):
        found = make_splits(tuning, data)
        check_feasible(tuning)
        check_storage(folder.path)
        return _run(tuning, data, found, folder, experiment, console=console, started=started, resume=resume)


def _run(
    tuning: Tuning,
    data: ImageData,
    found: list[Split],
    folder: TuningFolder,
    experiment: str,
    *,
    console: Console,
    started: float,
    resume: bool = False,
) -> Json:
    state = folder.path / experiment
    table = TrialTable(folder.path, tuning.study, experiment, console, budget=tuning.time_budget)
    table.total = table.earlier + tuning.samples
    trainable = make_trainable(tuning, data, found)
    folder.begin(experiment=experiment, started=now(), trials=tuning.trials, resumed=resume, **provenance())
    with table:
        tuner = (
            restored_tuner(state, trainable)
            if resume and has_state(state)
            else _new_tuner(tuning, trainable, folder, experiment, table)
        )
        results = tuner.fit()
    return _conclude(tuning, folder, table, results, console=console, started=started)


def has_state(experiment: Folder) -> bool:
    """Whether Tune has kept enough of it to go on with."""
    return any(experiment.glob("experiment_state-*.json"))


def make_trainable(tuning: Tuning, data: ImageData, found: list[Split], **changes: Any) -> Any:
    """What every trial is given, through the object store: training images alone, once a node."""
    shared: Json = {
        "study": tuning.study,
        "pixels": data.train.pixels.numpy(),
        "targets": data.train.targets.numpy(),
        "splits": [(training.numpy(), validation.numpy()) for training, validation in found],
        "classes": data.classes,
        "max_epochs": tuning.max_epochs,
        "device": tuning.device,
        "seed": tuning.seed,
        "threads": max(1, int(tuning.cpus_per_trial)),
    }
    trainable = tune.with_parameters(ClassifierTrial, **shared | changes)
    return tune.with_resources(trainable, tuning.resources)


def _new_tuner(tuning: Tuning, trainable: Any, folder: TuningFolder, experiment: str, table: TrialTable) -> tune.Tuner:
    study = tuning.study
    earlier = [run for run in folder.run["runs"] if run["experiment"] != experiment]
    seed = tuning.seed + len(earlier)
    random.seed(seed)  # PBT draws from these
    np.random.seed(seed)
    searched = scheduling.at_full_length(study.space, tuning.search, tuning.scheduler)
    search, space = searching.make_search(tuning.search, searched, seed, trials=tuning.trials)
    if earlier and isinstance(search, Searcher):
        with read_locally(folder.path / earlier[-1]["experiment"], "searcher-state-*.pkl") as state:
            search.restore_from_dir(str(state))
    population = tuning.scheduler in scheduling.POPULATION
    interval = scheduling.perturbation_interval(tuning.max_epochs) if population else 0
    return tune.Tuner(
        trainable,
        param_space=space,
        tune_config=tune.TuneConfig(
            search_alg=search,
            scheduler=scheduling.make_scheduler(
                tuning.scheduler, study.space, tuning.max_epochs, folder.path / "rungs.json"
            ),
            num_samples=1 if tuning.search == "grid" else tuning.trials,
            max_concurrent_trials=tuning.concurrent,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name=experiment,
            **ray_storage(folder.path),
            callbacks=[TensorBoardLog(study), table],
            checkpoint_config=tune.CheckpointConfig(num_to_keep=CHECKPOINTS, checkpoint_frequency=interval),
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            verbose=0,
        ),
    )


def _conclude(
    tuning: Tuning, folder: TuningFolder, table: TrialTable, results: Any, *, console: Console, started: float
) -> Json:
    seconds = round(time.monotonic() - started, 1)
    fits = tuning.folds * tuning.repeats
    failed = [row for row in table.ranked() if row["state"] == "failed"]
    ended = {"finished": now()} if table.whole or table.budget_spent or failed else {}
    folder.end(
        duration_seconds=seconds,
        training_epochs=fits * sum(row["epochs_run"] for row in table.rows.values()),
        stopped_by_budget=table.budget_spent and not table.whole,
        **ended,
    )
    for result in results:
        if result.error:
            raise trial_failed(f"trial {Path(result.path).name}", result.error, result.path)
    best = table.best()
    if best:
        console.print(results_table(table.ranked(), top=5))
        show_hosts((row.get("host") for row in table.rows.values()), console)
    if failed:
        raise _failure(failed, table, folder.path)
    if not ended:
        raise Interrupted(f"stopped; `tautune resume {folder.path}` goes on with it")
    if best is None and not table.rows:
        raise RunFailed(f"no trial finished an epoch within --time-budget {tuning.time_budget:g}; give more")
    if best is None:
        raise RunFailed(
            f"every trial diverged; see {folder.path / 'trials.csv'}; lower the learning rates of the space"
        )
    console.print(
        f"{folder.path}: trials.csv, best.json; {seconds} s, Ray's start included", soft_wrap=True, highlight=False
    )
    return best


def _failure(failed: list[Json], table: TrialTable, folder: Folder) -> RunFailed:
    first = failed[0]
    file = folder / "failures" / f"{first['trial']}.txt"
    values = ", ".join(f"{name}={value}" for name, value in first["config"].items())
    return RunFailed(
        f"{file.read_text().rstrip()}\n"
        f"tautune: {len(failed)} of {len(table.rows)} trials failed; above is trial {first['trial']} ({values}): {file}"
    )
