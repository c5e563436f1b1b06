"""The curvature where a training begins, beside the whole Hessian."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, hessian

from tautune.runners.starting_curvature import EXAMPLES, TOLERANCE, curvature_at_start
from tautune.trainables.supervised.datasets import Images
from tautune.trainables.supervised.sources import source_of
from tautune.trainables.supervised.supervised_training import SupervisedTraining


def training(layer: Callable[[], nn.Module]) -> SupervisedTraining:
    """Returns the training of a small network on noise, of which 64 examples are a batch."""
    generator = torch.Generator().manual_seed(0)
    examples = Images(torch.randn(2 * EXAMPLES, 5, generator=generator), torch.arange(2 * EXAMPLES) % 3)

    def model(shape: tuple[int, ...], classes: int) -> nn.Module:
        return nn.Sequential(nn.Linear(shape[0], 4), layer(), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, classes))

    source = source_of(examples, (torch.arange(2 * EXAMPLES), torch.arange(0)))
    config = {"learning_rate": 0.1, "optimizer": "sgd", "batch_size": 64}
    return SupervisedTraining(model, config, source, outputs=3, horizon=1, seed=3)


def plain_batch_norm() -> nn.Module:
    """Returns batch norm without running statistics, which torch.func cannot change."""
    return nn.BatchNorm1d(4, track_running_stats=False)


def largest_by_hessian(training: SupervisedTraining, batches: list[tuple[Tensor, Tensor]]) -> float:
    """Returns that of the mean loss of some batches of one size, with batch norm as training has it."""
    weights = {name: p.detach() for name, p in training.model.named_parameters()}
    sizes = [p.numel() for p in weights.values()]

    def loss(x: Tensor) -> Tensor:
        parts = (part.view_as(p) for part, p in zip(x.split(sizes), weights.values(), strict=True))
        given = dict(zip(weights, parts, strict=True))
        losses = [nn.functional.cross_entropy(functional_call(training.model, given, x), y) for x, y in batches]
        return torch.stack(losses).mean()

    x = torch.cat([p.flatten() for p in weights.values()])
    return float(torch.linalg.eigvalsh(hessian(loss)(x))[-1])


@pytest.mark.parametrize("layer", [nn.Identity, plain_batch_norm], ids=["plain", "batch-norm"])
def test_it_is_the_largest_eigenvalue_over_the_first_examples(layer: Callable[[], nn.Module]) -> None:
    begun, twin = training(layer), training(layer)
    found = curvature_at_start(begun)
    assert begun.model.training
    parts = list(twin.source.training_pass(64, twin.order, epoch=0, drop_single=False).batches)[: EXAMPLES // 64]
    for module in twin.model.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    expected = largest_by_hessian(twin, [(twin.normalize(part.pixels), part.targets) for part in parts])
    assert found == pytest.approx(expected, rel=TOLERANCE)
