"""The slope that a gradient search goes down: the training of a configuration on every split, differentiated."""

import math
from dataclasses import dataclass
from typing import Any

import torch

from tautune.records.errors import InputError
from tautune.runners.gradient_search import Slope
from tautune.runners.tuning_job import Tuning
from tautune.search_spaces.space import example
from tautune.search_spaces.task_data import AnyData, outputs_for
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.supervised.hypergradient import Hypergradient, hypergradient, kept_bytes, mean_of
from tautune.trainables.supervised.hyperparameters import WINDOW
from tautune.trainables.supervised.sources import source_of
from tautune.trainables.supervised.splits import Split
from tautune.trainables.supervised.supervised_training import SupervisedTraining

Config = dict[str, Any]
LARGEST = 2 * 2**30
"""Memory in bytes that the weights of all steps may take: every step is kept until the validation loss is known."""


@dataclass(frozen=True)
class Slopes:
    """A tuning's `Slope`."""

    tuning: Tuning
    data: AnyData
    splits: list[Split]

    def training(self, config: Config, number: int = 0) -> SupervisedTraining:
        """Returns what a trial trains on one split, before it begins."""
        study, tuning = self.tuning.study, self.tuning
        assert isinstance(study, TuningStudy)
        return SupervisedTraining(
            study.model,
            config,
            source_of(self.data.train, self.splits[number], window=config.get(WINDOW)),
            outputs=outputs_for(study.of_task, self.data),
            horizon=tuning.max_epochs,
            seed=tuning.seed + number,
            task=study.of_task,
            normalize=study.normalize,
            vocabulary=self.data.vocabulary,
        )

    def __call__(self, config: Config, *, below: float = math.inf) -> Hypergradient:
        """Returns the mean over the splits; with several of them, each is differentiated, whatever its loss."""
        config = self.tuning.study.hyperparameters(config)
        values = {name: config[name] for name in self.tuning.searched}
        with torch.random.fork_rng(devices=[]):
            if len(self.splits) == 1:
                return hypergradient(self.training(config), values, below=below)
            return mean_of([hypergradient(self.training(config, n), values) for n in range(len(self.splits))])


def make_slope(tuning: Tuning, data: AnyData, splits: list[Split]) -> Slope | None:
    """Returns the slope, if the search is by gradients.

    Raises:
        InputError: the model cannot be differentiated so, or memory does not hold its training.
    """
    if tuning.search != "gradient":
        return None
    slopes, study = Slopes(tuning, data, splits), tuning.study
    with torch.random.fork_rng(devices=[]):
        training = slopes.training(study.hyperparameters(example(study.space)))
    model = training.model
    if any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in model.modules()):
        raise InputError(f"search gradient cannot differentiate the batch normalization of {study.name}; use hyperopt")
    batch = min(training.config.batch_size, len(splits[0][0]))
    steps = training.horizon * -(-len(splits[0][0]) // batch)
    if (needed := kept_bytes(model, steps)) > LARGEST:
        raise InputError(
            f"search gradient keeps all {steps} steps of a training of {study.name}, which take {needed / 2**30:.1f} "
            "GB; lower --max-epochs, or use a smaller network"
        )
    return slopes
