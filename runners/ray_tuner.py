"""Ray Tune's `Tuner` of a tuning: new, or restored from where it was stopped."""

import random
from typing import Any

import numpy as np
from ray import tune
from ray.tune.search import Searcher

from tautune.cluster.session.session import RETRIES
from tautune.records.storage import Folder, ray_storage, read_locally, restored_tuner
from tautune.records.tuning_folder import TuningFolder
from tautune.runners import schedulers as scheduling
from tautune.runners import searches as searching
from tautune.runners.methods import POPULATION
from tautune.runners.tensorboard_log import TensorBoardLog
from tautune.runners.trial_callback import TrialCallback, name_folder
from tautune.runners.tuning_job import Tuning
from tautune.trainables.classifier.datasets import ImageData
from tautune.trainables.classifier.splits import Split
from tautune.trainables.classifier.trial import ClassifierTrial

Json = dict[str, Any]
CHECKPOINTS = 4
"""Checkpoints kept of each trial: the experiment's state is some seconds old, and must not name one that is gone."""


def make_trainable(tuning: Tuning, data: ImageData, splits: list[Split], **changes: Any) -> Any:
    """Returns the trainable with what every trial is given through the object store, once a node.

    Of the data, these are the training images alone.
    """
    shared: Json = {
        "study": tuning.study,
        "pixels": data.train.pixels.numpy(),
        "targets": data.train.targets.numpy(),
        "splits": [(training.numpy(), validation.numpy()) for training, validation in splits],
        "classes": data.classes,
        "max_epochs": tuning.max_epochs,
        "device": tuning.device,
        "seed": tuning.seed,
        "threads": max(1, int(tuning.cpus_per_trial)),
    }
    trainable = tune.with_parameters(ClassifierTrial, **shared | changes)
    return tune.with_resources(trainable, tuning.resources)


def has_state(experiment: Folder) -> bool:
    """Returns whether Tune has kept enough of an experiment to go on with."""
    return any(experiment.glob("experiment_state-*.json"))


def make_tuner(
    tuning: Tuning, trainable: Any, folder: TuningFolder, experiment: str, callback: TrialCallback, *, resumed: bool
) -> Any:
    """Returns the tuner, inside the context of `callback`."""
    state = folder.path / experiment
    if resumed and has_state(state):
        return restored_tuner(state, trainable)
    search, space = _search(tuning, folder, experiment)
    return tune.Tuner(
        trainable,
        param_space=space,
        tune_config=tune.TuneConfig(
            search_alg=search,
            scheduler=scheduling.make_scheduler(
                tuning.scheduler, tuning.study.space, tuning.max_epochs, folder.path / "rungs.json"
            ),
            num_samples=1 if tuning.search == "grid" else tuning.trials,
            max_concurrent_trials=tuning.concurrent,
            reuse_actors=True,
            trial_dirname_creator=name_folder,
        ),
        run_config=_run_config(tuning, folder, experiment, callback),
    )


def _search(tuning: Tuning, folder: TuningFolder, experiment: str) -> tuple[Any, dict[str, Any]]:
    """Returns the search, with what it learned in earlier experiments, and the space that it leaves to Tune."""
    earlier = [run for run in folder.run["runs"] if run["experiment"] != experiment]
    seed = tuning.seed + len(earlier)
    random.seed(seed)  # PBT draws from these
    np.random.seed(seed)
    searched = scheduling.at_full_length(tuning.study.space, tuning.search, tuning.scheduler)
    search, space = searching.make_search(tuning.search, searched, seed, trials=tuning.trials)
    if earlier and isinstance(search, Searcher):
        with read_locally(folder.path / earlier[-1]["experiment"], "searcher-state-*.pkl") as state:
            search.restore_from_dir(str(state))
    return search, space


def _run_config(tuning: Tuning, folder: TuningFolder, experiment: str, callback: TrialCallback) -> tune.RunConfig:
    population = tuning.scheduler in POPULATION
    interval = scheduling.perturbation_interval(tuning.max_epochs) if population else 0
    return tune.RunConfig(
        name=experiment,
        **ray_storage(folder.path),
        callbacks=[callback, TensorBoardLog(callback)],
        checkpoint_config=tune.CheckpointConfig(num_to_keep=CHECKPOINTS, checkpoint_frequency=interval),
        failure_config=tune.FailureConfig(max_failures=RETRIES),
        verbose=0,
    )
