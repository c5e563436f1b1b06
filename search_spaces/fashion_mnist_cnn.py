"""A convolutional network on Fashion-MNIST, searched by HyperOpt and ASHA."""

from ray import tune

from tautune.search_spaces.tuning_study import TuningStudy

STUDY = TuningStudy(
    name="fashion_mnist_cnn",
    description="CNN on Fashion-MNIST",
    data="fashion_mnist",
    model="cnn",
    space={
        "optimizer": "nesterov",
        "learning_rate": tune.loguniform(1e-2, 5e-2),
        "momentum": tune.uniform(0.8, 0.95),
        "schedule": "cosine",
        "batch_size": tune.choice([32, 64]),
        "layers": 3,
        "channels": 32,
        "units": tune.choice([128, 256]),
        "dropout": tune.uniform(0.1, 0.4),
        "batch_norm": True,
        "flip": True,
        "l2": tune.loguniform(1e-6, 1e-3),
    },
    trials=8,
    max_epochs=8,
    validation_share=1 / 6,
)
