import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from tautune.trainables.delay.queue import GradientQueue
from tautune.trainables.supervised import datasets
from tautune.trainables.supervised.datasets import Images
from tautune.trainables.supervised.gradient import normalizes_batches
from tautune.trainables.supervised.hyperparameters import TrainingConfig, training_config
from tautune.trainables.supervised.models import mlp
from tautune.trainables.supervised.normalization import Normalization
from tautune.trainables.supervised.optimizers import OPTIMIZERS, make_optimizer
from tautune.trainables.supervised.penalties import penalized
from tautune.trainables.supervised.sources import source_of
from tautune.trainables.supervised.training import (
    CHECK_EVERY,
    Epoch,
    evaluate,
    train_epoch,
)

DATA = datasets.load("digits").train
NORMALIZE = Normalization.of(DATA.pixels)
RATES = {"sgd": 0.1, "momentum": 0.01, "nesterov": 0.01, "shifted-momentum": 0.2, "adagrad": 0.05, "adadelta": 1.0}
EVERYTHING = torch.arange(len(DATA))


def model_of(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return mlp(DATA.shape, 10, units=64)


def train(
    model: nn.Module, config: TrainingConfig, epochs: int = 1, indices: torch.Tensor = EVERYTHING
) -> tuple[Epoch, Any]:
    optimizer, order = make_optimizer(model.parameters(), config), torch.Generator().manual_seed(0)
    for number in range(epochs):
        examples = source_of(DATA, (indices, torch.arange(0))).training_pass(
            config.batch_size, order, epoch=number, drop_single=normalizes_batches(model.train())
        )
        epoch = train_epoch(
            model, optimizer, examples, NORMALIZE, config, generator=order, done=number / epochs, share=1 / epochs
        )
    return epoch, optimizer


@pytest.mark.parametrize("delay", [0, 3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_learns_with_and_without_delay(name: str, delay: int) -> None:
    model = model_of()
    config = TrainingConfig(optimizer=name, learning_rate=RATES.get(name, 3e-3), delay=delay, batch_size=32)
    epoch, _ = train(model, config, epochs=5)
    assert not epoch.diverged
    assert epoch.steps == math.ceil(1437 / 32)
    assert evaluate(model, [DATA], NORMALIZE).metrics["accuracy"] > 0.9


@pytest.mark.parametrize(("batch_size", "steps"), [(1, 60), (7, 9), (60, 1), (1000, 1)])
def test_batch_on_line_and_mini_batch_training_are_one_loop(batch_size: int, steps: int) -> None:
    config = TrainingConfig(optimizer="sgd", learning_rate=0.01, batch_size=batch_size)
    assert train(model_of(), config, indices=torch.arange(60))[0].steps == steps


@pytest.mark.parametrize(("batch_norm", "steps"), [(False, 9), (True, 8)])
def test_a_last_batch_of_one_image_is_left_out_only_where_a_layer_needs_two(batch_norm: bool, steps: int) -> None:
    config = TrainingConfig(optimizer="sgd", learning_rate=0.01, batch_size=7)
    model = mlp(DATA.shape, 10, units=8, batch_norm=batch_norm)
    assert train(model, config, indices=torch.arange(57))[0].steps == steps


def test_a_full_batch_step_is_gradient_descent_on_the_penalized_mean() -> None:
    model, twin = model_of(), model_of()
    few = DATA[torch.arange(50)]
    config = TrainingConfig(optimizer="sgd", learning_rate=0.1, batch_size=50, l1=0.01, l2=0.02)
    train(model, config, indices=torch.arange(50))
    error = nn.functional.cross_entropy(twin(NORMALIZE(few.pixels)), few.targets)
    weights = [m.weight for m in twin.modules() if isinstance(m, nn.Linear)]
    penalty = sum((0.01 * w.abs().sum() + 0.01 * (w * w).sum() for w in weights), torch.zeros(()))
    (error + penalty).backward()
    for trained, parameter in zip(model.parameters(), twin.parameters(), strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(trained, parameter - 0.1 * parameter.grad, rtol=1e-5, atol=1e-6)


def test_an_l2_for_each_layer_is_torchs_weight_decay_in_groups() -> None:
    model, twin = model_of(), model_of()
    train(model, training_config({"optimizer": "sgd", "learning_rate": 0.1, "l2_2": 0.02, "l2_1": 0.3}))
    layers = [module for module in twin.modules() if isinstance(module, nn.Linear)]
    groups: list[dict[str, Any]] = [{"params": [layer.bias for layer in layers]}]
    for layer, decay in zip(layers, (0.3, 0.02), strict=True):
        groups.append({"params": [layer.weight], "weight_decay": decay})
    optimizer = torch.optim.SGD(groups, 0.1)
    for batch in torch.randperm(len(DATA), generator=torch.Generator().manual_seed(0)).split(64):
        optimizer.zero_grad()
        nn.functional.cross_entropy(twin(NORMALIZE(DATA.pixels[batch])), DATA.targets[batch]).backward()
        optimizer.step()
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_penalties_leave_out_biases_and_normalization_layers() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.LayerNorm([2, 6, 6]), nn.Flatten(), nn.Linear(72, 10)
    )
    assert [tuple(p.shape) for p in penalized(model)] == [(2, 1, 3, 3), (10, 72)]


def test_the_same_with_another_loop_that_is_written_out() -> None:
    """Nesterov, two epochs, a falling learning rate: against torch's own optimizer and scheduler, step by step."""
    model, twin = model_of(), model_of()
    config = TrainingConfig(optimizer="nesterov", learning_rate=0.05, momentum=0.8, batch_size=64, schedule="cosine")
    train(model, config, epochs=2)
    optimizer = torch.optim.SGD(twin.parameters(), 0.05, momentum=0.8, nesterov=True)
    steps = math.ceil(1437 / 64)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2 * steps)
    order = torch.Generator().manual_seed(0)
    for _ in range(2):
        for batch in torch.randperm(1437, generator=order).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(twin(NORMALIZE(DATA.pixels[batch])), DATA.targets[batch]).backward()
            optimizer.step()
            schedule.step()
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_divergence_ends_the_epoch_with_finite_numbers_and_the_step() -> None:
    config = TrainingConfig(optimizer="sgd", learning_rate=1e6, batch_size=4)
    epoch, queue = train(model_of(), config)
    assert epoch.diverged
    assert 0 < epoch.steps < CHECK_EVERY
    assert isinstance(queue, GradientQueue)
    assert queue.time == CHECK_EVERY  # of 360: it was seen at the first look
    assert math.isfinite(epoch.loss)


def test_mixed_precision_trains_nearly_the_same_and_keeps_weights_in_float32() -> None:
    config = TrainingConfig(optimizer="sgd", learning_rate=0.1, batch_size=32)
    full, mixed = model_of(), model_of()
    loss = train(full, config, epochs=2)[0].loss
    mixed_loss = train(mixed, replace(config, precision="bfloat16"), epochs=2)[0].loss
    assert mixed_loss != loss
    assert mixed_loss == pytest.approx(loss, rel=0.05)
    assert all(p.dtype == torch.float32 for p in mixed.parameters())


def test_augmentation_is_for_training_alone() -> None:
    config = TrainingConfig(optimizer="sgd", learning_rate=0.1, batch_size=32)
    moved = replace(config, shift=2, flip=True)
    assert train(model_of(), moved)[0].accuracy < train(model_of(), config)[0].accuracy - 0.1
    model = model_of()
    assert evaluate(model, [DATA], NORMALIZE) == evaluate(model, [DATA], NORMALIZE)


def test_evaluation_is_over_every_image_once_in_any_chunks() -> None:
    model = model_of()
    whole, chunks = evaluate(model, [DATA], NORMALIZE), evaluate(model, DATA.parts(EVERYTHING.split(100)), NORMALIZE)
    assert chunks.loss == pytest.approx(whole.loss)
    assert chunks.metrics == whole.metrics
    right = (model(NORMALIZE(DATA.pixels)).argmax(1) == DATA.targets).float().mean()
    assert whole.metrics["accuracy"] == pytest.approx(float(right))


def test_evaluation_of_one_image_uses_running_estimates_and_no_dropout() -> None:
    torch.manual_seed(0)
    model = mlp(DATA.shape, 10, batch_norm=True, dropout=0.5)
    one = DATA[torch.tensor([5])]
    assert evaluate(model, [one], NORMALIZE) == evaluate(model, [one], NORMALIZE)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optimizer": "adm"}, "optimizer must be one of sgd, momentum, .*, not 'adm'"),
        ({"schedule": "cosin"}, "schedule must be one of constant, .*, not 'cosin'"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0 and at most 1e.30, not 0.0"),
        ({"learning_rate": math.nan}, "learning_rate must be above 0 and at most 1e.30, not nan"),
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1"),
        ({"batch_size": 2.5}, "batch_size must be an integer of at least 1, not 2.5"),
        ({"epochs": 0}, "epochs must be an integer of at least 1, not 0"),
        ({"flip": "False"}, "flip must be true or false, not 'False'"),
        ({"delay": -1}, "delay must be an integer ≥ 0"),
        ({"l2": -0.1}, "l2 must be at least 0"),
        ({"warmup": 1.0}, r"warmup must be in \[0, 1\)"),
        ({"precision": "float16"}, "precision must be one of float32, bfloat16"),
    ],
)
def test_hyperparameters_out_of_bounds_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**values)


def test_images_are_indexed_together() -> None:
    images = Images(torch.arange(3).view(3, 1, 1, 1).to(torch.uint8), torch.arange(3))
    assert images[torch.tensor([2, 0])].pixels.flatten().tolist() == images[torch.tensor([2, 0])].targets.tolist()


def test_images_and_targets_must_fit() -> None:
    arrays: Any = torch.zeros(3, 2).numpy(), torch.zeros(3).numpy()
    with pytest.raises(ValueError, match=r"pixels must be a torch.Tensor, not ndarray; see torch.from_numpy"):
        Images(*arrays)
    with pytest.raises(ValueError, match="there are 3 images, but 2 targets"):
        Images(torch.zeros(3, 1, 2, 2), torch.zeros(2))
    with pytest.raises(ValueError, match="pixels must be bytes, integers or floating point, not torch.complex64"):
        Images(torch.zeros(3, 1, 2, 2, dtype=torch.complex64), torch.zeros(3))
