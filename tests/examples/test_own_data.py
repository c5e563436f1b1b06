"""The examples with data of their own are tuned as they are, and learn something."""

from pathlib import Path
from typing import Any

import pytest

import tautune
from tautune.search_spaces import find_tuning

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize(
    ("example", "fixed", "metric", "reached"),
    [
        ("forecasting.py", {"learning_rate": 0.01, "window": 20, "units": 8}, "validation_mae", 0.1),
        ("text.py", {"learning_rate": 0.02, "width": 16, "dropout": 0.1}, "validation_accuracy", 0.5),
        ("breast_cancer.py", {"optimizer": "adam", "learning_rate": 0.003, "width": 16}, "validation_accuracy", 0.8),
        ("streaming.py", {"learning_rate": 0.003, "channels": 4}, "validation_rmse", 0.4),
        ("own_loop.py", {"learning_rate": 0.01, "width": 8}, "error", 0.75),
    ],
)
def test_an_example_is_tuned(example: str, fixed: dict[str, Any], metric: str, reached: float, tmp_path: Path) -> None:
    """Each learns more than can be said without looking at the inputs.

    The last value instead of a forecast has an error of 0.14, the most frequent class a share of 0.37 and 0.63, and the
    mean of the targets an error of 0.58 and 0.77.
    """
    study: Any = find_tuning(str(EXAMPLES / example)).setting(fixed)
    result = tautune.tune(study, trials=1, max_epochs=5, scheduler="none", output=tmp_path / "out")
    assert set(result.trials["state"]) == {"finished"}
    found = result.best[metric]
    assert found > reached if study.goal.mode == "max" else found < reached


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_the_search_by_gradients_finds_a_training_that_learns(tmp_path: Path) -> None:
    """Without a look at the images a tenth would be right."""
    study = find_tuning(str(EXAMPLES / "hypergradients.py"))
    start = {"learning_rate": 0.03, "momentum": 0.8, "l2_1": 1e-4, "l2_2": 1e-4}
    result = tautune.tune(study, trials=2, points_to_evaluate=[start], output=tmp_path / "out")
    assert len(result.trials) == 2
    assert result.best["validation_accuracy"] > 0.3


def test_the_chaotic_series_obeys_its_equation() -> None:
    """From one step to the next it moves as x' says, to the second order of a step of one second."""
    study: Any = find_tuning(str(EXAMPLES / "forecasting.py"))
    series = study.data().training[:, 0].double()
    late, now = series[:-18], series[17:-1]
    slope = 0.2 * late / (1 + late**10) - 0.1 * now
    assert (series[18:] - now - slope).abs().max() < 0.05
    assert series.std() > 0.2


def test_texts_are_real_and_of_seven_parts() -> None:
    study: Any = find_tuning(str(EXAMPLES / "text.py"))
    data = study.data()
    assert len(data.training) > 500
    assert set(data.test.targets.tolist()) == set(range(7))
