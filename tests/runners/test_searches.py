"""What each search makes of each kind of range."""

from typing import Any

import pytest
from ray import tune

from tautune.records.errors import InputError
from tautune.runners.searches import OptunaSpace, check_domains, kinds_of, make_search
from tautune.search_spaces.space import Space, active
from tautune.trainables.goal import ACCURACY

STEPPED: Space = {
    "dropout": tune.quniform(0.0, 0.4, 0.1),
    "learning_rate": tune.qloguniform(0.01, 0.1, 0.01),
    "units": tune.qrandint(8, 64, 8),
    "channels": tune.qlograndint(8, 64, 8),
    "layers": tune.randint(1, 4),
    "depth": tune.lograndint(1, 9),
}


@pytest.mark.parametrize("search", ["random", "hyperopt", "optuna-tpe", "pso", "de"])
def test_ranges_in_steps_are_drawn_on_their_steps_and_in_their_bounds(search: str) -> None:
    check_domains(search, STEPPED)
    searcher = make_search(search, STEPPED, ACCURACY, seed=0)
    for number in range(40):
        config = active(STEPPED, searcher.suggest(str(number)))
        for name, (low, high, step) in {
            "dropout": (0.0, 0.4, 0.1),
            "learning_rate": (0.01, 0.1, 0.01),
            "units": (8, 64, 8),
            "channels": (8, 64, 8),
            "layers": (1, 3, 1),
            "depth": (1, 8, 1),
        }.items():
            value = config[name]
            assert low <= value <= high
            assert value / step == pytest.approx(round(value / step))
            assert type(value) is (float if isinstance(step, float) else int)


def test_a_normal_distribution_is_drawn_from_or_refused_in_one_line() -> None:
    space: Space = {"learning_rate": tune.randn(0.1, 0.01), "momentum": tune.uniform(0, 0.9)}
    for search in ("random", "hyperopt"):
        check_domains(search, space)
    for search in ("optuna-tpe", "cmaes", "gp"):
        with pytest.raises(InputError, match=f"search {search} cannot search this space: Optuna search does not"):
            check_domains(search, space)
    for search in ("pso", "de"):
        with pytest.raises(InputError, match=f"search {search} cannot .*: learning_rate is a normal distribution"):
            check_domains(search, space)


def test_the_kinds_of_a_space() -> None:
    kinds = kinds_of(STEPPED | {"optimizer": tune.choice(["adam"]), "batch_size": 32})
    assert [kinds[name] for name in ("dropout", "units", "optimizer", "batch_size")] == [
        *("range", "integers"),
        *("choice", "value"),
    ]


@pytest.mark.parametrize("private", [True, False])
def test_optuna_is_asked_publicly_where_its_private_method_has_gone(private: bool) -> None:
    import optuna

    space: Space = STEPPED | {"optimizer": tune.choice(["adam", "sgd"])}

    class Trial:
        """Optuna's, with its public methods alone."""

        def __init__(self, trial: Any) -> None:
            self.suggest_categorical = trial.suggest_categorical
            self.suggest_int, self.suggest_float = trial.suggest_int, trial.suggest_float

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=3))
    trials = [study.ask() for _ in range(5)]
    asked = OptunaSpace(space)
    configs = [asked(trial if private else Trial(trial)) for trial in trials]
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=3))
    assert configs == [OptunaSpace(space)(study.ask()) for _ in range(5)]
