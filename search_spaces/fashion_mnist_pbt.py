"""Population-based training of a convolutional network on Fashion-MNIST, which finds a schedule as it trains."""

from ray import tune

from tautune.search_spaces.tuning_study import TuningStudy

STUDY = TuningStudy(
    name="fashion_mnist_pbt",
    description="population-based training of a CNN on Fashion-MNIST",
    data="fashion_mnist",
    model="cnn",
    space={
        "learning_rate": tune.loguniform(1e-3, 1e-1),
        "momentum": tune.uniform(0.5, 0.97),
        "l2": tune.loguniform(1e-6, 1e-2),
        "optimizer": "nesterov",
        "batch_size": 64,
        "layers": 2,
        "channels": 8,
        "units": 128,
        "dropout": 0.2,
    },
    search="random",
    scheduler="pbt",
    trials=8,
    max_epochs=20,
    validation_share=1 / 6,
)
