"""Tuning a classifier as a Ray Tune job: many configurations, the best kept with what it was compared on."""

import random
import time
import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from ray import tune
from ray.tune.search import Searcher
from rich.console import Console

import search_spaces
from cluster import scheduling, searching
from cluster.errors import InputError, Interrupted, RunFailed, trial_failed
from cluster.provenance import now, provenance
from cluster.ray_session import ray_session
from cluster.tensorboard_log import TensorBoardLog
from cluster.trial_table import TrialTable, results_table
from cluster.tuning_folder import FORMAT, TuningFolder, check_new, make_folder, read_tuning
from search_spaces.space import active, as_text, combinations, domain_of, ends
from search_spaces.study import TuningStudy, check_name
from trainables.classifier import ClassifierTrial
from trainables.datasets import DataError, ImageData, load
from trainables.models import build
from trainables.splits import Split, splits
from trainables.training import TRAINING_NAMES

Json = dict[str, Any]
OPTIONS = (
    "search",
    "scheduler",
    "trials",
    "max_epochs",
    "concurrent",
    "time_budget",
    "folds",
    "repeats",
    "examples",
    "cpus_per_trial",
    "gpus_per_trial",
    "seed",
    "split_seed",
)
"""The fields of a Tuning that are plain numbers and names."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What to search and how; see `tautune tune --help`.

    Raises:
        InputError: search, scheduler and space do not go together.
    """

    study: TuningStudy
    search: str
    scheduler: str
    trials: int
    max_epochs: int
    concurrent: int | None = None
    time_budget: float | None = None
    """Seconds."""
    folds: int = 1
    repeats: int = 1
    examples: int | None = None
    cpus_per_trial: float = 1
    gpus_per_trial: float = 0
    seed: int = 0
    """Of the search and of the initial weights."""
    split_seed: int = 0
    """Of the splits: runs of several seeds are compared on the same images."""
    data_dir: Path | None = None
    fixed: Json = field(default_factory=dict)
    """What --set fixed of the study's space; the study has it already."""

    def __post_init__(self) -> None:
        try:
            check_name("--search", self.search, searching.SEARCHES)
            check_name("--scheduler", self.scheduler, scheduling.SCHEDULERS)
        except ValueError as error:
            raise InputError(str(error)) from None
        searching.check_search(self.search, self.study.space)
        scheduling.check_scheduler(self.scheduler, self.search, self.study.space)

    @property
    def device(self) -> str:
        return "cuda" if self.gpus_per_trial else "cpu"

    @property
    def samples(self) -> int:
        """Trials: a grid has as many as it has combinations."""
        return len(combinations(self.study.space)) if self.search == "grid" else self.trials

    def configuration(self) -> Json:
        """All of it as plain JSON, for run.json, and what a later `resume` compares its study with."""
        study = self.study
        return {
            "kind": "tuning",
            "format": FORMAT,
            "study": str(study.source or study.name),
            "data": study.data if isinstance(study.data, str) else "the study's own",
            "model": study.model if isinstance(study.model, str) else "the study's own",
            "space": {name: as_text(entry) for name, entry in study.space.items()},
            "validation_share": study.validation_share,
            **{name: getattr(self, name) for name in OPTIONS},
            "data_dir": str(self.data_dir) if self.data_dir else None,
            "set": self.fixed,
        }


def tuning_of(run: Json, folder: Path) -> Tuning:
    """The tuning that wrote a folder's run.json.

    Raises:
        InputError: its study is not there any more, or is another one now.
    """
    kept = run["configuration"]
    try:
        study = search_spaces.find_tuning(kept["study"]).setting(kept["set"])
    except ValueError as error:
        raise InputError(f"{folder} is a tuning of the study {kept['study']}: {error}") from error
    tuning = Tuning(
        study=study,
        fixed=kept["set"],
        data_dir=Path(kept["data_dir"]) if kept["data_dir"] else None,
        **{name: kept[name] for name in OPTIONS},
    )
    now_is = tuning.configuration()
    differing = [name for name in kept if now_is.get(name) != kept[name]]
    if differing:
        raise InputError(
            f"{folder} was tuned with another version of the study {kept['study']}: its {differing[0]} was "
            f"{kept[differing[0]]}, and is {now_is.get(differing[0])}"
        )
    return tuning


def run_tuning(tuning: Tuning, output: Path, *, console: Console, started: float) -> Json:
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
    found = make_splits(tuning, data)
    with ray_session():
        check_feasible(tuning.cpus_per_trial, tuning.gpus_per_trial)
        make_folder(output)
        with TuningFolder(output, {"configuration": tuning.configuration()}) as folder:
            return _run(tuning, data, found, folder, "trials", console=console, started=started)


def resume_tuning(path: Path, *, console: Console, started: float) -> Json | None:
    """Goes on with a tuning that was stopped, from the trials' checkpoints; None if there is nothing left to do."""
    run = read_tuning(path)
    tuning = tuning_of(run, path)
    last = run["runs"][-1]
    if "finished" in last and not last["stopped_by_budget"]:
        console.print(f"nothing is left to do in {path}; `tautune extend` tries more configurations")
        return None
    data = load_data(tuning.study, tuning.data_dir)
    found = make_splits(tuning, data)
    with ray_session(), TuningFolder(path.resolve(), run) as folder:
        check_feasible(tuning.cpus_per_trial, tuning.gpus_per_trial)
        tuning = replace(tuning, trials=last["trials"])
        return _run(tuning, data, found, folder, last["experiment"], console=console, started=started, resume=True)


def extend_tuning(path: Path, trials: int, *, console: Console, started: float) -> Json:
    """Tries so many configurations more, with what the search has learned."""
    run = read_tuning(path)
    tuning = tuning_of(run, path)
    if "finished" not in run["runs"][-1]:
        raise InputError(f"{path} was stopped before its end; go on with `tautune resume {path}` first")
    if tuning.search == "grid":
        raise InputError(f"{path} is a grid: all of its configurations were tried")
    if tuning.scheduler in (*scheduling.POPULATION, "hyperband"):
        raise InputError(f"{path} used {tuning.scheduler}, whose trials live together: none can join later")
    data = load_data(tuning.study, tuning.data_dir)
    found = make_splits(tuning, data)
    with ray_session(), TuningFolder(path.resolve(), run) as folder:
        check_feasible(tuning.cpus_per_trial, tuning.gpus_per_trial)
        tuning = replace(tuning, trials=trials)
        experiment = f"trials-{len({r['experiment'] for r in run['runs']}) + 1}"
        return _run(tuning, data, found, folder, experiment, console=console, started=started)


def load_data(study: TuningStudy, data_dir: Path | None) -> ImageData:
    """The study's data. Raises InputError if they are not to be had, or if a user's own function raises."""
    if callable(study.data):
        try:
            data = study.data()
        except Exception as error:
            message = f"{study.source}: its data: {type(error).__name__}: {error}"
            raise InputError(f"{traceback.format_exc()}{message}") from None
        if not isinstance(data, ImageData):
            raise InputError(f"{study.source}: its data must be an ImageData, not {type(data).__name__}")
        return data
    try:
        return load(study.data, data_dir)
    except DataError as error:
        raise InputError(str(error)) from None


def try_model(study: TuningStudy, data: ImageData) -> None:
    """Builds one network of the space. Raises InputError, after its own traceback, if that raises."""
    config = active(study.space, {name: (ends(domain_of(entry)) or [0])[0] for name, entry in study.space.items()})
    own = {name: value for name, value in config.items() if name not in TRAINING_NAMES}
    try:
        with torch.random.fork_rng(devices=[]):
            build(study.model, data.train.shape, data.classes, own)
    except Exception as error:
        values = ", ".join(f"{name}={value}" for name, value in own.items())
        message = f"the model of {study.name} cannot be built with {values}: {type(error).__name__}: {error}"
        raise InputError(f"{traceback.format_exc()}{message}" if study.source else message) from None


def check_feasible(cpus: float, gpus: float) -> None:
    """Raises InputError if no node can hold a trial: it would stay pending for ever."""
    wanted = {"CPU": cpus, "GPU": gpus}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(all(node.get(kind, 0) >= amount for kind, amount in wanted.items()) for node in nodes):
        largest = {kind: max(node.get(kind, 0) for node in nodes) for kind in wanted}
        raise InputError(
            f"a trial asks for {cpus:g} CPU and {gpus:g} GPU; the largest node has "
            f"{largest['CPU']:g} CPU and {largest['GPU']:g} GPU: lower --cpus-per-trial or --gpus-per-trial"
        )


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
    known = resume and any(state.glob("experiment_state-*.json"))
    table = TrialTable(folder.path, tuning.study, experiment, console, budget=tuning.time_budget)
    table.total = table.earlier + tuning.samples
    trainable = make_trainable(tuning, data, found)
    folder.begin(experiment=experiment, started=now(), trials=tuning.trials, resumed=resume, **provenance())
    with table:
        tuner = (
            tune.Tuner.restore(str(state), trainable, restart_errored=True)
            if known
            else _new_tuner(tuning, trainable, folder, experiment, table)
        )
        results = tuner.fit()
    return _conclude(tuning, folder, table, results, console=console, started=started)


def make_splits(tuning: Tuning, data: ImageData) -> list[Split]:
    """Raises InputError if the images cannot be divided as asked for."""
    try:
        return splits(
            data.train.targets,
            share=tuning.study.validation_share,
            folds=tuning.folds,
            repeats=tuning.repeats,
            examples=tuning.examples,
            seed=tuning.split_seed,
        )
    except ValueError as error:
        raise InputError(f"the images of {tuning.study.name} cannot be divided so: {error}") from None


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
    return tune.with_resources(trainable, {"CPU": tuning.cpus_per_trial, "GPU": tuning.gpus_per_trial})


class _Ending(tune.Stopper):
    """Ends a search whose time is spent, and one in which three trials failed and none has worked.

    Tune's own time budget goes on counting in a run that is resumed; this one asks the table of the running process.
    """

    def __call__(self, trial_id: str, result: Json) -> bool:
        return False

    def stop_all(self) -> bool:
        table = TrialTable.current
        return table is not None and (table.budget_spent or table.nothing_works)


def _new_tuner(tuning: Tuning, trainable: Any, folder: TuningFolder, experiment: str, table: TrialTable) -> tune.Tuner:
    study = tuning.study
    earlier = [run for run in folder.run["runs"] if run["experiment"] != experiment]
    seed = tuning.seed + len(earlier)
    random.seed(seed)  # PBT draws from these
    np.random.seed(seed)
    search, space = searching.make_search(tuning.search, study.space, seed, trials=tuning.trials)
    if earlier and isinstance(search, Searcher):
        search.restore_from_dir(str(folder.path / earlier[-1]["experiment"]))
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
            storage_path=str(folder.path),
            callbacks=[TensorBoardLog(study), table],
            checkpoint_config=tune.CheckpointConfig(num_to_keep=4 if population else 2, checkpoint_frequency=interval),
            failure_config=tune.FailureConfig(max_failures=2),
            stop=_Ending(),
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


def _failure(failed: list[Json], table: TrialTable, folder: Path) -> RunFailed:
    first = failed[0]
    file = folder / "failures" / f"{first['trial']}.txt"
    values = ", ".join(f"{name}={value}" for name, value in first["config"].items())
    return RunFailed(
        f"{file.read_text().rstrip()}\n"
        f"tautune: {len(failed)} of {len(table.rows)} trials failed; above is trial {first['trial']} ({values}): {file}"
    )
