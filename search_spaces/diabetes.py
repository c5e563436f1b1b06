"""A small network on scikit-learn's diabetes data: a regression with so few examples that k-fold pays.

`tautune tune diabetes --folds 5`. A training takes a second or two, and one epoch of it says little: nothing is
stopped early.
"""

import torch
from ray import tune
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from tautune.search_spaces.data import Data
from tautune.search_spaces.tuning_study import TuningStudy


def data() -> Data:
    """Returns ten measurements of each of 442 patients, and how far their diabetes had progressed a year later.

    A fifth of them, always the same, is the test.
    """
    found = load_diabetes(scaled=False)
    inputs, targets = torch.from_numpy(found.data).float(), torch.from_numpy(found.target).float()
    training, test, training_targets, test_targets = train_test_split(inputs, targets, test_size=0.2, random_state=0)
    return Data(
        training=(training, training_targets),
        test=(test, test_targets),
        columns=tuple(found.feature_names),
        target_names=("progression",),
    )


STUDY = TuningStudy(
    name="diabetes",
    description="MLP on scikit-learn's diabetes data, a regression",
    data=data,
    model="mlp",
    task="regression",
    space={
        "optimizer": "adam",
        "schedule": "cosine",  # a training that ends quietly ends so again on all of the examples
        "learning_rate": tune.loguniform(1e-4, 1e-1),
        "batch_size": tune.choice([16, 32, 64]),
        "layers": tune.choice([0, 1, 2]),
        "units": tune.choice([8, 16, 32]),
        "activation": "tanh",
        "dropout": tune.uniform(0.0, 0.5),
        "l2": tune.loguniform(1e-4, 1.0),
    },
    scheduler="none",
    trials=30,
    max_epochs=30,
)
