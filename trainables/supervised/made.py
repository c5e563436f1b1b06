"""What every trial of a tuning is given, as a training in this process or in a worker's."""

import warnings
from typing import Any

import numpy as np
import torch

from tautune.trainables.supervised.datasets import Images
from tautune.trainables.supervised.hyperparameters import WINDOW
from tautune.trainables.supervised.sources import source_of
from tautune.trainables.supervised.steps import Steps
from tautune.trainables.supervised.supervised_training import Config, SupervisedTraining

NOT_SENT = ("read", "replay", "workers", "stages")
"""What a training is not made of."""


class MakeTraining:
    """Makes the training of one configuration on one split, which can be sent to another process.

    Args:
        shared: what `SupervisedTrial` is given.
        hyperparameters: of training and model together.
        number: of the split.
    """

    def __init__(self, shared: dict[str, Any], hyperparameters: Config, number: int) -> None:
        self.shared = {name: value for name, value in shared.items() if name not in NOT_SENT}
        self.hyperparameters, self.number = hyperparameters, number

    def __call__(self, device: str, examples: Any = None) -> SupervisedTraining:
        """Returns the training on a device; of examples, if they are there already."""
        s = self.shared
        training, validation = s["splits"][self.number]
        if examples is None:
            examples = examples_in(s).to(device)
        split = as_tensor(training), as_tensor(validation)
        return SupervisedTraining(
            s["study"].model,
            self.hyperparameters,
            source_of(examples, split, window=self.hyperparameters.get(WINDOW)),
            outputs=s["classes"],
            horizon=s["max_epochs"],
            seed=s["seed"] + self.number,
            device=device,
            task=s["study"].of_task,
            normalize=s["study"].normalize,
            vocabulary=s.get("vocabulary"),
        )


def examples_in(shared: dict[str, Any]) -> Any:
    """Returns the examples to train on and to validate with."""
    if "pixels" in shared:
        return Images(as_tensor(shared["pixels"]), as_tensor(shared["targets"]))
    if "steps" in shared:
        return Steps(as_tensor(shared["steps"]), shared["window"], shared["horizon"])
    return shared["study"].data().train


def as_tensor(array: np.ndarray[Any, Any]) -> torch.Tensor:
    """Returns a tensor that shares the array's memory.

    Arrays of Ray's object store are read-only, of which torch warns, but nothing here writes to them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
