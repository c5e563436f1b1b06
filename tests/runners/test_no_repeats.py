"""No trial is spent on a configuration that was tried already."""

from typing import Any

import pytest
from ray import tune

from tautune.runners import hyperopt_internals, optuna_internals
from tautune.runners.searches import make_search
from tautune.search_spaces.space import Space, active, combinations
from tautune.trainables.goal import ACCURACY

SPACE: Space = {
    "learning_rate": tune.choice([0.1, 0.01, 0.001]),
    "batch_size": tune.choice([16, 32, 64]),
    "layers": tune.choice([1, 2, 3]),
    "optimizer": "sgd",
}


def try_some(searcher: Any, names: range) -> list[dict[str, Any]]:
    """Tells a better accuracy of a smaller learning rate and batch."""
    tried = []
    for trial in map(str, names):
        config = active(SPACE, searcher.suggest(trial))
        tried.append(config)
        result = {"validation_accuracy": 1 - config["learning_rate"] - config["batch_size"] / 100}
        searcher.on_trial_result(trial, result | {"training_iteration": 1})
        searcher.on_trial_complete(trial, result | {"training_iteration": 1})
    return tried


def distinct(configs: list[dict[str, Any]]) -> int:
    return len(set(map(repr, configs)))


@pytest.mark.parametrize("search", ["hyperopt", "optuna-tpe"])
def test_a_space_of_choices_is_tried_without_a_repetition_to_its_end_and_then_goes_on(search: str) -> None:
    searcher = make_search(search, SPACE, ACCURACY, seed=0, trials=24)
    tried = try_some(searcher, range(24))
    assert distinct(tried) == 24
    assert distinct(tried + try_some(searcher, range(24, 30))) <= len(combinations(SPACE))


@pytest.mark.parametrize("search", ["hyperopt", "optuna-tpe"])
def test_where_the_private_attribute_has_gone_it_goes_on_and_says_so_once(
    search: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then a search draws as many candidates as it likes, and may propose a configuration twice."""
    monkeypatch.setattr(hyperopt_internals, "_said", set())
    monkeypatch.setattr(optuna_internals, "_said", set())
    searcher = make_search(search, SPACE, ACCURACY, seed=0)
    if search == "hyperopt":
        algorithm = searcher.algo
        searcher.algo = lambda *arguments: algorithm(*arguments)  # no partial any more
    else:
        searcher._sampler = None  # from here on in the study alone
    tried = try_some(searcher, range(12))
    assert len(tried) == 12
    assert distinct(tried) > 6
    assert len(caplog.records) == 1
    assert "may propose a configuration twice" in caplog.text
