"""The way to a sweep's minimum, kept on disk as it goes."""

from pathlib import Path
from typing import Any

import torch
from ray import tune

from tautune.records.errors import RunFailed
from tautune.records.minimum_cache import MinimumCache
from tautune.runners.listeners import SweepListener

Json = dict[str, Any]


class DescentKeeper(tune.Callback):
    """Writes the state of the descent to disk, so that a later run can continue from there."""

    def __init__(self, cache: MinimumCache, listener: SweepListener) -> None:
        self.cache, self.listener = cache, listener
        self.error: RunFailed | None = None

    def __getstate__(self) -> Json:
        return {}  # Tune pickles its callbacks into a file, from which this one is never loaded

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Json, **info: Any) -> None:
        norm, evaluations = result["gradient_norm"], result["timesteps_total"]
        self.listener.doing(f"training to the minimum: gradient norm {norm:.1e} after {evaluations} evaluations")

    def on_checkpoint(
        self, iteration: int, trials: list[Any], trial: Any, checkpoint: tune.Checkpoint, **info: Any
    ) -> None:
        try:
            self.cache.keep_begun(read_checkpoint(checkpoint)["descent"])
        except RunFailed as error:  # which Tune would log, and take for the checkpoint's own
            self.error = error

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        if self.error:
            raise self.error


def read_checkpoint(checkpoint: tune.Checkpoint) -> Json:
    """Returns what a checkpoint of the descent holds."""
    with checkpoint.as_directory() as folder:
        state: Json = torch.load(Path(folder) / "minimum.pt", weights_only=True, map_location="cpu")
    return state
