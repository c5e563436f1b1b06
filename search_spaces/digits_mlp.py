"""A fully connected network on scikit-learn's digits: the study to start from; it takes half a minute on two cores."""

from ray import tune

from tautune.search_spaces.space import When
from tautune.search_spaces.tuning_study import TuningStudy

UNITS = [64, 128, 256]
STUDY = TuningStudy(
    name="digits_mlp",
    description="MLP on scikit-learn's digits",
    data="digits",
    model="mlp",
    space={
        "optimizer": tune.choice(["adam", "nesterov"]),
        "learning_rate": tune.loguniform(1e-3, 3e-1),
        "momentum": tune.uniform(0.5, 0.95),
        "batch_size": tune.choice([16, 32, 64]),
        "layers": tune.choice([1, 2, 3]),
        "units_1": tune.choice(UNITS),
        "units_2": When("layers", (2, 3), tune.choice(UNITS)),
        "units_3": When("layers", (3,), tune.choice(UNITS)),
        "dropout": tune.uniform(0.0, 0.4),
        "l2": tune.loguniform(1e-6, 1e-3),
    },
    trials=20,
    max_epochs=30,
)
