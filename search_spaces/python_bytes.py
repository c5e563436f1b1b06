"""A transformer that continues Python: bytes of the standard library's sources, divided by file.

Trials see the last 400 kB of the training text; `tautune refit` trains the best one on all of it.
"""

from ray import tune

from tautune.search_spaces.real_data.standard_library import python_bytes
from tautune.search_spaces.tuning_study import TuningStudy

STUDY = TuningStudy(
    name="python_bytes",
    description="transformer that continues the sources of Python's standard library, byte by byte",
    data=python_bytes,
    model="causal_transformer",
    task="language",
    space={
        "optimizer": "adamw",
        "learning_rate": tune.loguniform(1e-3, 6e-3),
        "schedule": "cosine",
        "warmup": tune.uniform(0.02, 0.2),
        "batch_size": tune.choice([8, 16]),
        "window": tune.choice([64, 128]),
        "width": tune.choice([64, 96, 128]),
        "layers": tune.choice([2, 3]),
        "heads": tune.choice([2, 4]),
    },
    scheduler="asha",
    trials=8,
    max_epochs=3,
    examples=400_000,
)
