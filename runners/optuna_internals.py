"""What is private in Optuna, each with a guard: where it has moved, the public way is taken and said once."""

import logging
from typing import Any

log = logging.getLogger("tautune")


def set_candidates(sampler: Any, count: int) -> bool:
    """Sets how many draws a TPESampler in use takes the best of. Returns False where Optuna has it elsewhere now."""
    if not isinstance(getattr(sampler, "_n_ei_candidates", None), int):
        _say_once("optuna-tpe may propose a configuration twice: this Optuna keeps its candidates elsewhere")
        return False
    sampler._n_ei_candidates = count
    return True


def note(searcher: Any, trial_id: str, name: str, value: Any) -> bool:
    """Keeps a value with Optuna's trial. Returns False where Ray has it elsewhere now."""
    trial = getattr(searcher, "_ot_trials", {}).get(trial_id)
    if trial is None:
        _say_once("limits do not guide the search: this Ray keeps Optuna's trials elsewhere")
        return False
    trial.set_user_attr(name, value)
    return True


def suggest(trial: Any, name: str, distribution: Any) -> Any:
    """Draws one hyperparameter from a distribution, by Optuna's public methods where the private one has gone."""
    private = getattr(trial, "_suggest", None)
    return suggest_publicly(trial, name, distribution) if private is None else private(name, distribution)


def suggest_publicly(trial: Any, name: str, distribution: Any) -> Any:
    """Draws one hyperparameter by the public method for its kind of distribution."""
    if hasattr(distribution, "choices"):
        return trial.suggest_categorical(name, distribution.choices)
    bounds = (name, distribution.low, distribution.high)
    if isinstance(distribution.low, int):
        return trial.suggest_int(*bounds, step=distribution.step, log=distribution.log)
    return trial.suggest_float(*bounds, step=distribution.step, log=distribution.log)


_said: set[str] = set()


def _say_once(text: str) -> None:
    if text not in _said:
        log.warning(text)
    _said.add(text)
