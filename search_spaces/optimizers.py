"""The optimizers side by side, each at several learning rates, on scikit-learn's digits."""

from ray import tune

from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.supervised.hyperparameters import OPTIMIZER_NAMES

STUDY = TuningStudy(
    name="optimizers",
    description="thirteen optimizers × five learning rates, MLP on scikit-learn's digits",
    data="digits",
    model="mlp",
    space={
        "optimizer": tune.choice(list(OPTIMIZER_NAMES)),
        "learning_rate": tune.choice([0.001, 0.01, 0.1, 1.0, 10.0]),
        "batch_size": 32,
        "units": 128,
    },
    search="grid",
    scheduler="none",
    max_epochs=10,
)
