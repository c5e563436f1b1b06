"""Delays that are drawn, weight prediction and normalized learning rates as hyperparameters of a training."""

import pytest
import torch
from ray import tune
from torch import nn

from tautune.search_spaces.normalized import normalized
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.delay.queue import GradientQueue
from tautune.trainables.delay.remedies.weight_prediction import WeightPrediction
from tautune.trainables.delay.schedules import RandomDelay
from tautune.trainables.supervised.hyperparameters import TrainingConfig
from tautune.trainables.supervised.optimizers import make_optimizer


def test_a_drawn_delay_and_a_prediction_are_made_of_their_texts() -> None:
    model = nn.Linear(2, 1)
    optimizer = make_optimizer(model.parameters(), TrainingConfig(delay="1:0.25,3:0.75", remedy="predict:2.5"))
    assert isinstance(optimizer, WeightPrediction)
    assert optimizer.horizons == [2.5]
    queue = optimizer.optimizer
    assert isinstance(queue, GradientQueue)
    assert queue.schedule == RandomDelay(probabilities=(0, 0.25, 0, 0.75))
    own = make_optimizer(model.parameters(), TrainingConfig(delay=4, remedy="predict"))
    assert isinstance(own, WeightPrediction)
    assert own.horizons == [4]
    assert isinstance(make_optimizer(model.parameters(), TrainingConfig(remedy="predict:3")), GradientQueue)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"delay": "1:0.5"}, "shares must sum to 1, not to 0.5"),
        ({"delay": "1:x"}, "delay must be DELAY:SHARE"),
        ({"delay": "8"}, "delay must be an integer ≥ 0"),
        ({"remedy": "compensate:0.5"}, "remedy must be none or predict:T, not 'compensate:0.5'"),
        ({"remedy": "predict", "delay": "0:0.5,1:0.5"}, "remedy must be predict:T, with a number T"),
        ({"optimizer": "shifted-momentum", "delay": "0:0.5,1:0.5"}, "cannot have drawn ones"),
        ({"normalized_rate": 0.0}, "normalized_rate must be above 0"),
        ({"normalized_rate": 0.5, "optimizer": "lion"}, "optimizer lion has no threshold in theory"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("delay", [0, 1, 8])
def test_a_normalized_rate_is_the_same_share_of_what_is_stable_at_every_delay(delay: int) -> None:
    """On λ x²/2, ρ < 1 converges and ρ > 1 does not, whatever the delay."""
    λ = 4.0
    for ρ, converges in ((0.9, True), (1.1, False)):
        x = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
        config = TrainingConfig(optimizer="sgd", normalized_rate=ρ, sharpness=λ, delay=delay)
        optimizer = make_optimizer([x], config)
        for _ in range(100 * (2 * delay + 1)):
            optimizer.zero_grad()
            (λ / 2 * x.square().sum()).backward()
            optimizer.step()
        assert (abs(x.item()) < 1) == converges


def test_a_space_has_a_normalized_rate_in_the_place_of_the_learning_rate() -> None:
    space = {"optimizer": tune.choice(["sgd", "adamw"]), "delay": tune.choice([0, 8])}
    space |= normalized(tune.loguniform(0.03, 3.0), sharpness=70.0)
    study = TuningStudy(name="normal", description="", data="digits", model="mlp", space=space)
    assert study.hyperparameters({"optimizer": "sgd", "delay": 8, "normalized_rate": 0.5})["normalized_rate"] == 0.5
    for name in ("lion", tune.choice(["sgd", "soap"])):
        with pytest.raises(ValueError, match="has no threshold in theory"):
            TuningStudy(name="n", description="", data="digits", model="mlp", space=space | {"optimizer": name})
    with pytest.raises(ValueError, match="normalized_rate takes the place of learning_rate"):
        TuningStudy(name="n", description="", data="digits", model="mlp", space=space | {"learning_rate": 0.1})
