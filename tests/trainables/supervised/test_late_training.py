"""Delays that are drawn, weight prediction and normalized learning rates as hyperparameters of a training."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from ray import tune
from torch import nn
from torch.optim import Optimizer

from tautune.search_spaces.normalized import normalized
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.delay.queue import GradientQueue
from tautune.trainables.delay.remedies.delay_adaptive import DelayAdaptive
from tautune.trainables.delay.remedies.delay_compensation import DelayCompensation
from tautune.trainables.delay.remedies.discard_stale import DiscardStale
from tautune.trainables.delay.remedies.gap_aware import GapAware
from tautune.trainables.delay.remedies.pipemare import PipeMareRescheduling
from tautune.trainables.delay.remedies.staleness_aware import StalenessAware
from tautune.trainables.delay.remedies.weight_prediction import WeightPrediction
from tautune.trainables.delay.schedules import RandomDelay
from tautune.trainables.supervised.hyperparameters import TrainingConfig
from tautune.trainables.supervised.optimizers import make_optimizer
from tautune.trainables.supervised.remedies import NUMBERS
from tautune.trainables.supervised.with_remedy import MAKERS


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


EACH: dict[str, Callable[[GradientQueue], Optimizer]] = {
    "predict": WeightPrediction,
    "predict:2.5": lambda queue: WeightPrediction(queue, 2.5),
    "delay-compensation": DelayCompensation,
    "delay-compensation:0.5": lambda queue: DelayCompensation(queue, 0.5),
    "gap-aware": GapAware,
    "delay-adaptive:2": lambda queue: DelayAdaptive(queue, 2),
    "staleness-aware": StalenessAware,
    "pipemare:20": lambda queue: PipeMareRescheduling(queue, 20),
    "discard-stale:5": lambda queue: DiscardStale(queue, 5),
}


@pytest.mark.parametrize("remedy", EACH)
def test_each_remedy_trains_as_what_it_is_called_after(remedy: str) -> None:
    def trained(make: Callable[[list[nn.Parameter]], Optimizer]) -> torch.Tensor:
        x = nn.Parameter(torch.tensor([1.0, -2.0]))
        optimizer = make([x])
        for _ in range(30):
            with optimizer.predicted() if isinstance(optimizer, WeightPrediction) else nullcontext():
                optimizer.zero_grad()
                (2 * x.square().sum() + x.prod()).backward()
            optimizer.step()
        return x.detach()

    config = TrainingConfig(optimizer="momentum", learning_rate=0.01, delay=4, remedy=remedy)
    found = trained(lambda p: make_optimizer(p, config))
    plain = TrainingConfig(optimizer="momentum", learning_rate=0.01, delay=4)

    def by_hand(p: list[nn.Parameter]) -> Optimizer:
        queue = make_optimizer(p, plain)
        assert isinstance(queue, GradientQueue)
        return EACH[remedy](queue)

    assert torch.equal(found, trained(by_hand))
    assert torch.equal(found, trained(lambda p: make_optimizer(p, plain))) == (remedy == "discard-stale:5")


def test_all_remedies_are_tried() -> None:
    assert {remedy.partition(":")[0] for remedy in EACH} == set(NUMBERS) == set(MAKERS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"delay": "1:0.5"}, "shares must sum to 1, not to 0.5"),
        ({"delay": "1:x"}, "delay must be DELAY:SHARE"),
        ({"delay": "8"}, "delay must be an integer ≥ 0"),
        ({"remedy": "compensate:0.5"}, r"remedy must be none, predict\[:T\], .*discard-stale:R, not 'compensate:0.5'"),
        ({"remedy": "gap-aware:2"}, "remedy must be none, .*, not 'gap-aware:2'"),
        ({"remedy": "pipemare"}, "remedy must be none, .*, not 'pipemare'"),
        ({"remedy": "pipemare:0.5"}, "remedy must be none, .*, not 'pipemare:0.5'"),
        ({"remedy": "delay-adaptive:0"}, "remedy must be none, .*, not 'delay-adaptive:0'"),
        ({"remedy": "predict:"}, "remedy must be none, .*, not 'predict:'"),
        ({"remedy": "predict:nan"}, "remedy must be none, .*, not 'predict:nan'"),
        ({"remedy": "discard-stale:2", "delay": 2}, "remedy must be discard-stale:R with R above 2"),
        ({"remedy": "gap-aware", "delay": 2, "normalized_rate": 0.5}, "remedy gap-aware has no threshold in theory"),
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
