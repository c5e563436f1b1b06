"""An LSTM on sunspot numbers by quarter: forecasts of three years from one to two cycles.

The last fifth of the quarters before the test validates, which are four cycles; with `--folds 4` it walks forward
through four blocks, each behind all that is trained on. The error of one epoch says little, so that a trial is only
stopped where it is worse than the median of the others.
"""

from ray import tune

from tautune.search_spaces.real_data.sunspots import sunspots
from tautune.search_spaces.tuning_study import TuningStudy

STUDY = TuningStudy(
    name="sunspots",
    description="LSTM on sunspot numbers by quarter, three years ahead",
    data=sunspots,
    model="lstm",
    task="forecasting",
    space={
        "optimizer": "adamw",
        "schedule": "cosine",
        "learning_rate": tune.loguniform(1e-3, 2e-2),
        "batch_size": tune.choice([32, 64]),
        "window": tune.choice([44, 66, 88]),
        "highway": tune.choice([0, 22, 44]),
        "layers": 1,
        "units": tune.choice([32, 64]),
        "dropout": tune.uniform(0.0, 0.5),
        "l2": tune.loguniform(1e-5, 1e-1),
    },
    scheduler="median",
    trials=24,
    max_epochs=20,
)
