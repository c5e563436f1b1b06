"""A small convolutional network on Fashion-MNIST."""

from ray import tune

from search_spaces.study import TuningStudy

STUDY = TuningStudy(
    name="fashion_mnist_cnn",
    description="CNN on Fashion-MNIST",
    data="fashion_mnist",
    model="cnn",
    space={
        "optimizer": tune.choice(["adam", "nesterov"]),
        "learning_rate": tune.loguniform(3e-4, 1e-1),
        "batch_size": tune.choice([32, 64, 128]),
        "layers": tune.randint(2, 4),
        "channels": tune.choice([16, 32]),
        "units": tune.choice([128, 256]),
        "dropout": tune.uniform(0.0, 0.5),
        "batch_norm": tune.choice([False, True]),
        "l2": tune.loguniform(1e-6, 1e-3),
    },
    trials=20,
    max_epochs=12,
    validation_share=1 / 6,
)
