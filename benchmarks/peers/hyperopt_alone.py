"""HyperOpt without tautune or Ray Tune, as its documentation uses it, on a table of trainings.

`evaluate` trains a configuration to its end and returns the metric, to be maximised; the search ends when it raises.
"""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from hyperopt import fmin, hp, tpe


class OutOfTime(Exception):
    """No simulated time is left."""


def search(choices: dict[str, list[Any]], evaluate: Callable[[dict[str, Any]], float], seed: int) -> None:
    logging.getLogger("hyperopt.fmin").setLevel(logging.CRITICAL)  # it tells of the exception that ends it
    space = {name: hp.choice(name, values) for name, values in choices.items()}
    try:
        fmin(
            lambda config: -evaluate(config),
            space,
            algo=tpe.suggest,
            max_evals=10_000,
            rstate=np.random.default_rng(seed),
            show_progressbar=False,
            verbose=False,
        )
    except OutOfTime:
        return
