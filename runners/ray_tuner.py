"""Ray Tune's `Tuner` of a tuning: new, or brought to where it was stopped."""

import random
from typing import Any

import numpy as np
from ray import tune

from tautune.cluster.session.session import RETRIES
from tautune.records.storage import ray_storage, read_bytes
from tautune.records.tuning_folder import TuningFolder
from tautune.runners import schedulers as scheduling
from tautune.runners import searches as searching
from tautune.runners.delays_log import DelaysLog
from tautune.runners.folder_watch import FolderWatch
from tautune.runners.folding import Folding
from tautune.runners.giving_up import FailedTrial
from tautune.runners.gradient_search import Slope
from tautune.runners.methods import POPULATION
from tautune.runners.replay import Replay
from tautune.runners.suggestions import Suggestions
from tautune.runners.trial_callback import TrialCallback, name_folder
from tautune.runners.tuning_job import Tuning
from tautune.runners.with_workers import placed, room_of
from tautune.search_spaces.loop_study import LoopStudy
from tautune.search_spaces.task_data import AnyData, outputs_for
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.loop.trial import can_be_reset, loop_trainable
from tautune.trainables.supervised.datasets import Images
from tautune.trainables.supervised.splits import Split
from tautune.trainables.supervised.steps import Steps
from tautune.trainables.supervised.trial import SupervisedTrial

Json = dict[str, Any]
CHECKPOINTS = 4
"""Number of checkpoints kept of each trial: if the last one is damaged, one before it is used."""


def make_trainable(tuning: Tuning, data: AnyData, splits: list[Split], **changes: Any) -> Any:
    """Returns the trainable with what every trial is given through the object store, once a node.

    Of the data, these are the training examples alone. What is no tensor is not given: each process loads it itself.
    """
    assert isinstance(tuning.study, TuningStudy)
    shared: Json = {
        "study": tuning.study,
        **_arrays(data.train),
        "splits": [(training.numpy(), validation.numpy()) for training, validation in splits],
        "classes": outputs_for(tuning.study.of_task, data),
        "vocabulary": data.vocabulary,
        "max_epochs": tuning.max_epochs,
        "device": tuning.device,
        "seed": tuning.seed,
        "threads": max(1, int(tuning.cpus_per_trial)),
        "read": read_bytes,
    }
    if tuning.places is None:
        return tune.with_resources(tune.with_parameters(SupervisedTrial, **shared | changes), tuning.resources)
    places = placed(tuning.places, tuning.resources)
    trainable = tune.with_parameters(SupervisedTrial, **shared | changes | {f"{places.noun}s": places})
    return tune.with_resources(trainable, room_of(places, tuning.resources))


def _arrays(examples: Any) -> Json:
    if isinstance(examples, Images):
        return {"pixels": examples.pixels.numpy(), "targets": examples.targets.numpy()}
    if isinstance(examples, Steps):
        return {"steps": examples.values.numpy(), "window": examples.window, "horizon": examples.horizon}
    return {}


def make_loop(tuning: Tuning) -> Any:
    """Returns the trainable of a user's own loop."""
    study, goal = tuning.study, tuning.goal
    assert isinstance(study, LoopStudy)
    needed = dict.fromkeys(dict(goal.limits), study.penalty)
    needed |= {name: study.penalty if mode == "min" else -study.penalty for name, mode in goal.others}
    trainable = tune.with_parameters(loop_trainable(study), study=study, max_reports=tuning.max_epochs, needed=needed)
    return tune.with_resources(trainable, tuning.resources)


def make_tuner(
    tuning: Tuning,
    trainable: Any,
    folder: TuningFolder,
    experiment: str,
    callback: TrialCallback,
    *,
    lengthened: int = 0,
    slope: Slope | None = None,
) -> tune.Tuner | None:
    """Returns the tuner, inside the context of `callback`, at the point that its journal has reached.

    None is returned if all of its trials have ended.

    Args:
        lengthened: number of trials that go on for longer; no scheduler judges them, and no others begin.
        slope: what the search gradient goes down.
    """
    _seed(tuning.seed)
    study, goal, searched = tuning.study, tuning.goal, tuning.study.space
    if isinstance(study, TuningStudy):
        searched = scheduling.at_full_length(searched, tuning.search, tuning.scheduler)
    first = folder.run["runs"][0]["trials"]  # an extension goes on with the search that its first run began
    search = searching.make_search(
        tuning.search, searched, goal, seed=tuning.seed, trials=first, points=tuning.points, slope=slope
    )
    suggestions = Suggestions(search, callback.trials, callback.journal, callback.identities)
    moved = {name: study.space[name] for name in tuning.moved}
    name = "none" if lengthened else tuning.scheduler
    scheduler = scheduling.make_scheduler(name, moved, tuning.max_epochs, goal, callback.identities)
    replay = Replay(suggestions, scheduler, Folding(callback.trials, callback.board))
    replay.run(callback.journal.earlier)
    suggestions.waiting = replay.unfinished(folder.path, experiment)
    samples = (lengthened or tuning.samples) - replay.ended(experiment)
    if samples <= 0:
        return None
    return tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=suggestions,
            scheduler=scheduler,
            num_samples=samples,
            max_concurrent_trials=tuning.concurrent,
            reuse_actors=not isinstance(study, LoopStudy) or can_be_reset(study.train),
            trial_dirname_creator=name_folder,
        ),
        run_config=_run_config(tuning, folder, experiment, callback),
    )


def _seed(seed: int) -> None:
    """Seeds what PBT draws from."""
    random.seed(seed)
    np.random.seed(seed)


def _run_config(tuning: Tuning, folder: TuningFolder, experiment: str, callback: TrialCallback) -> tune.RunConfig:
    function = isinstance(tuning.study, LoopStudy) and not isinstance(tuning.study.train, type)
    population = tuning.scheduler in POPULATION and not function  # which saves its checkpoints when it will
    interval = scheduling.perturbation_interval(tuning.max_epochs) if population else 0
    return tune.RunConfig(
        name=experiment,
        **ray_storage(folder.path),
        callbacks=[FolderWatch(folder.path), FailedTrial(), callback, DelaysLog(folder.path / experiment)],
        checkpoint_config=tune.CheckpointConfig(num_to_keep=CHECKPOINTS, checkpoint_frequency=interval),
        failure_config=tune.FailureConfig(max_failures=RETRIES),
        verbose=0,
    )
