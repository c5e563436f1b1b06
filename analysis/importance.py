"""Which hyperparameters mattered in a tuning, by Optuna's evaluators."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tautune.records.errors import InputError
from tautune.records.kept_space import Searched, searched

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

    from tautune.trainables.goal import Goal

Row = dict[str, Any]
FEWEST = 10
"""Number of trials at least: of fewer, an evaluator sees chance alone."""
BEST = 5
"""Number of trials at least that PED-ANOVA takes for the best ones: Optuna's advice."""
BEST_SHARE = 0.1
"""Share of the trials that it takes for the best ones where there are enough: Optuna's default."""


@dataclass(frozen=True)
class Importance:
    """How much each hyperparameter mattered; the importances of one evaluator add up to 1."""

    pedanova: dict[str, float]
    """For being among the best trials (PED-ANOVA, Watanabe et al., IJCAI 2023), the most important one first."""
    fanova: dict[str, float]
    """For the metric's variance over the whole space (fANOVA, Hutter et al., ICML 2014)."""
    left_out: dict[str, str]
    """Hyperparameter → why no evaluator, or fANOVA alone, could judge it."""
    trials: int
    """Number of trials that ended with a result."""
    diverged: int
    """Number of those that diverged: each counts as the worst trial that did not."""
    best: int
    """Number of trials that PED-ANOVA took for the best ones."""

    def as_json(self) -> dict[str, Any]:
        """Returns all of it as plain JSON."""
        return asdict(self)


def importance(rows: list[Row], space: dict[str, Any], goal: Goal, *, fanova: bool = True) -> Importance:
    """Returns how much each hyperparameter mattered for the metric that trials had at their best epoch.

    Trials that failed, and those that have not ended, are left out.

    Args:
        rows: the trials.
        space: the space as run.json keeps it.
        goal: what the trials are compared by.
        fanova: whether fANOVA is asked too; with thousands of trials its forest takes long.

    Raises:
        InputError: Optuna is not installed, there are too few trials, or nothing in them differs.
    """
    if find_spec("optuna") is None:
        raise InputError("importance needs the package optuna; install it with pip install 'tautune[optuna]'")
    ended = [row for row in rows if row["state"] in ("finished", "stopped", "diverged")]
    good = [row for row in ended if row["state"] != "diverged"]
    if len(ended) < FEWEST:
        raise InputError(f"importance needs at least {FEWEST} trials that ended with a result, not {len(ended)}")
    if not good:
        raise InputError(f"importance needs a trial that did not diverge, and all {len(ended)} did")
    domains = {name: entry for name, entry in searched(space).items() if len(_values(name, ended)) > 1}
    worst = max(good, key=goal.rank)[goal.metric]
    values = [worst if row["state"] == "diverged" else row[goal.metric] for row in ended]
    if not domains or len(set(values)) == 1:
        same = f"every trial has {goal.metric} = {worst:g}" if domains else "no hyperparameter has two values in them"
        raise InputError(f"importance needs trials that differ: {same}")
    best = max(BEST, round(BEST_SHARE * len(ended)))
    try:
        study = _study(ended, values, domains, goal)
    except (ValueError, TypeError) as error:
        raise InputError(f"importance needs values that the space has: {error}") from None
    by_rank, by_variance = _evaluated(study, best / len(ended), fanova=fanova)
    left_out = {name: "it had one value in every trial" for name in searched(space) if name not in domains}
    for name in domains:
        if fanova and name not in by_variance:
            why = f"it exists only where {domains[name].condition}" if domains[name].condition else "not in every trial"
            left_out[name] = f"{why} (fANOVA alone leaves it out)" if name in by_rank else why
    return Importance(by_rank, by_variance, left_out, len(ended), len(ended) - len(good), best)


def _values(name: str, rows: list[Row]) -> set[str]:
    return {_label(row["config"][name]) for row in rows if name in row["config"]}


def _label(value: Any) -> str:
    """Returns a choice as text: Optuna's choices are scalars, and ours may be lists."""
    return json.dumps(value, default=str)


def _study(rows: list[Row], values: list[float], domains: dict[str, Searched], goal: Goal) -> Study:
    """Returns Optuna's study of these trials."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions = {name: _distribution(name, entry, rows) for name, entry in domains.items()}
    study = optuna.create_study(direction="maximize" if goal.mode == "max" else "minimize")
    for row, value in zip(rows, values, strict=True):
        own = {name: v for name, v in row["config"].items() if name in domains}
        params = {name: _label(v) if domains[name].kind == "categorical" else v for name, v in own.items()}
        used = {name: distributions[name] for name in params}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=used, value=value))
    return study


def _distribution(name: str, entry: Searched, rows: list[Row]) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if entry.kind == "categorical":
        choices = {} if entry.choices is None else {_label(value): None for value in entry.choices}
        return CategoricalDistribution(list(choices | dict.fromkeys(sorted(_values(name, rows)))))
    seen = [row["config"][name] for row in rows if name in row["config"]]
    low, high = (min(seen), max(seen)) if entry.low is None or entry.high is None else (entry.low, entry.high)
    low, high = min(low, *seen), max(high, *seen)
    if entry.kind == "integer":
        return IntDistribution(int(low), int(high), log=entry.log)
    return FloatDistribution(low, high, log=entry.log)


def _evaluated(study: Study, share: float, *, fanova: bool) -> tuple[dict[str, float], dict[str, float]]:
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "experimental"
        by_rank = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=share))
        forest = FanovaImportanceEvaluator(seed=0)
        by_variance = get_param_importances(study, evaluator=forest) if fanova else {}
    return _plain(by_rank), _plain(by_variance)


def _plain(found: dict[str, float]) -> dict[str, float]:
    ordered = sorted(found.items(), key=lambda pair: -pair[1])
    return {name: round(float(value), 6) for name, value in ordered}
