"""A short training whose learning rate, momentum and L2, one for each layer, are searched by gradients of its loss.

tautune tune examples/hypergradients.py
"""

from ray import tune

from tautune import TuningStudy

STUDY = TuningStudy(
    name="hypergradients",
    description="60 steps of an MLP on scikit-learn's digits, with the full batch and gradients two steps late",
    data="digits",
    model="mlp",
    space={
        "learning_rate": tune.loguniform(1e-3, 1.0),
        "momentum": tune.uniform(0.5, 0.999),
        "l2_1": tune.loguniform(1e-6, 1.0),
        "l2_2": tune.loguniform(1e-6, 1.0),
        "optimizer": "nesterov",
        "delay": 2,
        "batch_size": 2000,
        "units": 32,
        "activation": "tanh",
    },
    search="gradient",
    scheduler="none",
    trials=8,
    max_epochs=60,
)
