"""The published grid of 243 convolutional networks on MNIST; a sixth of the 60,000 training images validates."""

from ray import tune

from tautune.search_spaces.tuning_study import TuningStudy

SPACE = {
    "learning_rate": tune.choice([0.001, 0.01, 0.1]),
    "epochs": tune.choice([5, 10, 20]),
    "batch_size": tune.choice([32, 64, 128]),
    "layers": tune.choice([2, 3, 4]),
    "l2": tune.choice([0.01, 0.001, 0.0001]),
    "optimizer": "nesterov",
    "channels": 8,
    "units": 64,
}
STUDY = TuningStudy(
    name="mnist_cnn_grid",
    description="learning rate × epochs × mini-batch × layers × L2, 243 CNNs on MNIST",
    data="mnist",
    model="cnn",
    space=SPACE,
    search="grid",
    scheduler="none",
    trials=243,
    max_epochs=20,
    validation_share=1 / 6,
)
