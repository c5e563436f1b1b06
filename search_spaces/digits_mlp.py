"""A fully connected network on scikit-learn's digits: the study to start from, a minute on two cores."""

from ray import tune

from search_spaces.study import TuningStudy

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
        "layers": tune.randint(1, 4),
        "units": tune.choice([64, 128, 256]),
        "dropout": tune.uniform(0.0, 0.4),
        "l2": tune.loguniform(1e-6, 1e-3),
    },
    trials=20,
    max_epochs=30,
)
