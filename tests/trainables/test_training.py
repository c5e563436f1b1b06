import math

import pytest
import torch
from torch import nn

from trainables import datasets
from trainables.datasets import Images, Normalization
from trainables.models import mlp
from trainables.training import OPTIMIZERS, evaluate, make_optimizer, train_epoch

DATA = datasets.load("digits").train
NORMALIZE = Normalization.of(DATA)
RATES = {"sgd": 0.1, "momentum": 0.01, "nesterov": 0.01, "shifted-momentum": 0.2, "adagrad": 0.05, "adadelta": 1.0}


def model_of(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return mlp(DATA.shape, 10, units=64)


@pytest.mark.parametrize("delay", [0, 3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_learns_with_and_without_delay(name: str, delay: int) -> None:
    model = model_of()
    optimizer = make_optimizer(name, model.parameters(), learning_rate=RATES.get(name, 3e-3), delay=delay)
    order = torch.Generator().manual_seed(0)
    for _ in range(5):
        epoch = train_epoch(model, optimizer, DATA, NORMALIZE, batch_size=32, generator=order)
    assert not epoch.diverged
    assert epoch.steps == math.ceil(1437 / 32)
    assert evaluate(model, DATA, NORMALIZE)[1] > 0.9


@pytest.mark.parametrize(("batch_size", "steps"), [(1, 60), (7, 9), (60, 1), (1000, 1)])
def test_batch_on_line_and_mini_batch_training_are_one_loop(batch_size: int, steps: int) -> None:
    model, few = model_of(), DATA[torch.arange(60)]
    optimizer = make_optimizer("sgd", model.parameters(), learning_rate=0.01)
    order = torch.Generator().manual_seed(0)
    assert train_epoch(model, optimizer, few, NORMALIZE, batch_size=batch_size, generator=order).steps == steps


def test_a_full_batch_step_is_gradient_descent_on_the_penalized_mean() -> None:
    model, twin = model_of(), model_of()
    few = DATA[torch.arange(50)]
    optimizer = make_optimizer("sgd", model.parameters(), learning_rate=0.1)
    train_epoch(model, optimizer, few, NORMALIZE, batch_size=50, generator=torch.Generator(), l1=0.01, l2=0.02)
    error = nn.functional.cross_entropy(twin(NORMALIZE(few.pixels)), few.targets)
    weights = [m.weight for m in twin.modules() if isinstance(m, nn.Linear)]
    penalty = sum((0.01 * w.abs().sum() + 0.01 * (w * w).sum() for w in weights), torch.zeros(()))
    (error + penalty).backward()
    for trained, parameter in zip(model.parameters(), twin.parameters(), strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(trained, parameter - 0.1 * parameter.grad, rtol=1e-5, atol=1e-6)


def test_divergence_ends_the_epoch_with_finite_numbers() -> None:
    model = model_of()
    optimizer = make_optimizer("sgd", model.parameters(), learning_rate=1e6)
    epoch = train_epoch(model, optimizer, DATA, NORMALIZE, batch_size=32, generator=torch.Generator())
    assert epoch.diverged
    assert epoch.steps < 44
    assert math.isfinite(epoch.loss)


def test_evaluation_is_over_every_image_once_in_any_chunks() -> None:
    model = model_of()
    whole = evaluate(model, DATA, NORMALIZE, batch_size=5000)
    assert evaluate(model, DATA, NORMALIZE, batch_size=100) == pytest.approx(whole, rel=1e-6)
    right = (model(NORMALIZE(DATA.pixels)).argmax(1) == DATA.targets).float().mean()
    assert whole[1] == pytest.approx(float(right))


def test_evaluation_of_one_image_uses_running_estimates_and_no_dropout() -> None:
    torch.manual_seed(0)
    model = mlp(DATA.shape, 10, batch_norm=True, dropout=0.5)
    one = DATA[torch.tensor([5])]
    assert evaluate(model, one, NORMALIZE) == evaluate(model, one, NORMALIZE)


def test_unknown_optimizer_is_answered_with_the_known() -> None:
    with pytest.raises(ValueError, match="optimizer must be one of sgd, momentum, .*, not 'adm'"):
        make_optimizer("adm", model_of().parameters(), learning_rate=0.1)


def test_images_are_indexed_together() -> None:
    images = Images(torch.arange(3).view(3, 1, 1, 1).to(torch.uint8), torch.arange(3))
    assert images[torch.tensor([2, 0])].pixels.flatten().tolist() == images[torch.tensor([2, 0])].targets.tolist()
