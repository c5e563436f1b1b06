"""Ray Tune's `Tuner` of trials that each train a part of the points or runs, many together."""

from collections.abc import Sequence
from typing import Any

from ray import tune

from tautune.cluster.session.session import RETRIES
from tautune.records.storage import Folder, ray_storage
from tautune.runners.folder_watch import FolderWatch
from tautune.runners.giving_up import GivingUp
from tautune.runners.own_code import OwnCode


def stacks_tuner(
    trainable: Any, parts: Sequence[tuple[int, int]], folder: Folder, keeper: tune.Callback, *, trained: str
) -> tune.Tuner:
    """Returns the tuner of one trial for each part, whose results only `keeper` keeps: a trial has no checkpoint.

    Args:
        trainable: takes `bounds`, the first of its part and the last, itself excluded.
        parts: the bounds, in the order in which the trials begin.
        folder: where the run is kept.
        keeper: takes what the trials report.
        trained: what there are parts of, for the names of the trials' folders.
    """

    def name(_: Any) -> str:
        return "a training"

    def dirname(trial: Any) -> str:
        first, last = trial.config["bounds"]
        return f"{trained}={first}-{last - 1}"

    return tune.Tuner(
        trainable,
        param_space={"bounds": tune.grid_search(list(parts))},
        tune_config=tune.TuneConfig(reuse_actors=True, trial_dirname_creator=dirname),
        run_config=tune.RunConfig(
            name="trials",
            **ray_storage(folder),
            callbacks=[FolderWatch(folder), GivingUp(name), OwnCode(folder, name), keeper],
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            verbose=0,
        ),
    )
