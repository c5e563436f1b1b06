"""The curvature where a training begins, beside the whole Hessian."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, hessian

from tautune.runners.starting_curvature import EXAMPLES, curvature_at_start
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


def largest_by_hessian(training: SupervisedTraining, inputs: Tensor, targets: Tensor) -> float:
    weights = {name: p.detach() for name, p in training.model.named_parameters()}
    sizes = [p.numel() for p in weights.values()]

    def loss(x: Tensor) -> Tensor:
        parts = (part.view_as(p) for part, p in zip(x.split(sizes), weights.values(), strict=True))
        outputs = functional_call(training.model, dict(zip(weights, parts, strict=True)), inputs)
        return nn.functional.cross_entropy(outputs, targets)

    x = torch.cat([p.flatten() for p in weights.values()])
    return float(torch.linalg.eigvalsh(hessian(loss)(x))[-1])


@pytest.mark.parametrize("layer", [nn.Identity, lambda: nn.BatchNorm1d(4)], ids=["plain", "batch-norm"])
def test_it_is_the_largest_eigenvalue_over_the_first_examples(layer: Callable[[], nn.Module]) -> None:
    begun, twin = training(layer), training(layer)
    found = curvature_at_start(begun)
    parts = list(twin.source.training_pass(64, twin.order, epoch=0, drop_single=False).batches)[: EXAMPLES // 64]
    inputs = twin.normalize(torch.cat([part.pixels for part in parts]))
    begun.model.eval()  # the statistics of batch norm are those that were seen
    assert found == pytest.approx(largest_by_hessian(begun, inputs, torch.cat([p.targets for p in parts])), rel=0.02)


def test_batch_norm_has_seen_the_data() -> None:
    begun = training(lambda: nn.BatchNorm1d(4))
    curvature_at_start(begun)
    [norm] = [m for m in begun.model.modules() if isinstance(m, nn.BatchNorm1d)]
    assert isinstance(norm.running_var, Tensor)
    assert float((norm.running_var - 1).abs().max()) > 0.1
    assert begun.model.training
