"""The paper's network and data, with late gradients: delay × momentum × learning rate, in units of theory's threshold.

One setting of ρ = η / η_max(τ) serves every delay, so that the accuracy at a delay shows what the rule leaves of it. λ
of this network is not known here, and ρ is in its unit. A GPU is needed: 45 trainings of 60 epochs.
"""

from ray import tune

from tautune.search_spaces.normalized import normalized
from tautune.search_spaces.tuning_study import TuningStudy

STUDY = TuningStudy(
    name="cifar10_vgg11",
    description="delay × momentum × normalized learning rate, VGG-11 on CIFAR-10, for a GPU",
    data="cifar10",
    model="vgg11",
    space={
        "delay": tune.choice([0, 4, 8, 16, 32]),
        "optimizer": tune.choice(["sgd", "momentum", "shifted-momentum"]),
        "momentum": 0.9,
        **normalized(tune.choice([0.01, 0.03, 0.1])),
        "schedule": "cosine",
        "batch_size": 128,
        "batch_norm": True,
        "flip": True,
        "shift": 4,
        "l2": 5e-4,
        "precision": "bfloat16",
    },
    search="grid",
    scheduler="none",
    max_epochs=60,
    validation_share=0.1,
)
