"""A transformer that sorts WordNet's definitions of nouns by their field of meaning: plant, person, act and so on.

Trials see 16,000 of the 58,000 texts; `tautune refit` trains the best one on all of them.
"""

from ray import tune

from tautune.search_spaces.real_data.wordnet import definitions
from tautune.search_spaces.tuning_study import TuningStudy

STUDY = TuningStudy(
    name="wordnet",
    description="transformer that sorts WordNet's definitions of nouns into 24 fields of meaning",
    data=definitions,
    model="transformer",
    space={
        "optimizer": "adamw",
        "learning_rate": tune.loguniform(3e-4, 1e-2),
        "schedule": "linear",
        "warmup": 0.05,
        "batch_size": tune.choice([32, 64, 128]),
        "width": tune.choice([32, 64, 128]),
        "layers": tune.choice([1, 2]),
        "heads": tune.choice([2, 4]),
        "dropout": tune.uniform(0.0, 0.5),
    },
    scheduler="asha",
    trials=12,
    max_epochs=6,
    examples=16_000,
)
