"""Optuna without tautune or Ray Tune, as its documentation uses it, on a table of trainings.

`evaluate` reports a configuration's values, to be maximised, with their epochs, until it is told that the training is
pruned. It returns the last value; the search ends when it raises.
"""

from collections.abc import Callable
from typing import Any

import optuna

from benchmarks.peers.hyperopt_alone import OutOfTime

Evaluate = Callable[[dict[str, Any], Callable[[float, float], bool]], float]


def search(choices: dict[str, list[Any]], evaluate: Evaluate, seed: int, *, pruned: bool) -> None:
    """Searches, with Optuna's successive halving if `pruned`, else with whole trainings."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.SuccessiveHalvingPruner() if pruned else optuna.pruners.NopPruner()
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed), pruner=pruner)

    def objective(trial: optuna.Trial) -> float:
        def reported(value: float, epoch: float) -> bool:
            trial.report(value, int(epoch))
            return trial.should_prune()

        return evaluate(
            {name: trial.suggest_categorical(name, list(values)) for name, values in choices.items()}, reported
        )

    try:
        study.optimize(objective, n_trials=10_000)
    except OutOfTime:
        return
