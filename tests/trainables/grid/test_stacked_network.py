"""Each network of a stack against itself alone."""

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, mse_loss

from tautune.trainables.grid.single_training import accuracy_of
from tautune.trainables.grid.stacked_network import ELEMENTWISE, accuracies_of_each, losses_of_each, outputs_of_each
from tautune.trainables.theory.problem import Loss, Problem

K, N = 4, 7
SHARED = nn.Linear(6, 6)
NETWORKS = {
    "fully connected": nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)),
    "without bias": nn.Sequential(nn.Linear(6, 5, bias=False), nn.ReLU(inplace=True), nn.Linear(5, 3)),
    "in place first": nn.Sequential(nn.ReLU(inplace=True), nn.Linear(6, 3)),
    "activation first": nn.Sequential(nn.Tanh(), nn.Linear(6, 3)),
    "every activation": nn.Sequential(nn.Linear(6, 5), *(layer() for layer in ELEMENTWISE), nn.Linear(5, 3)),
    "a layer twice": nn.Sequential(SHARED, nn.Tanh(), SHARED, nn.Linear(6, 3)),
    "convolution": nn.Sequential(nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3)),
    "normalization": nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.Linear(5, 3)),
}
TARGETS: dict[str, tuple[Loss, Tensor]] = {
    "classes": (cross_entropy, torch.randint(3, (K, N))),
    "classes, some left out": (cross_entropy, torch.tensor([0, -100, 2, 1, -100, 0, 2]).repeat(K, 1)),
    "probabilities": (cross_entropy, torch.rand(K, N, 3, dtype=torch.float64)),
    "numbers": (mse_loss, torch.rand(K, N, 3, dtype=torch.float64)),
}


def make_problem(model: nn.Module, loss: Loss, targets: Tensor) -> tuple[Problem, tuple[Tensor, ...]]:
    """The problem, whose inputs are not used, and the parameters of K networks."""
    model = model.double()
    generator = torch.Generator().manual_seed(0)
    pieces = tuple(
        torch.randn(K, *p.shape, dtype=torch.float64, generator=generator).requires_grad_() for p in model.parameters()
    )
    return Problem(model, loss, torch.zeros(len(targets)), targets), pieces


@pytest.mark.parametrize("per_point", [True, False])
@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("name", NETWORKS)
def test_each_is_what_it_is_alone(name: str, kind: str, per_point: bool) -> None:
    loss, targets = TARGETS[kind]
    problem, pieces = make_problem(NETWORKS[name], loss, targets)
    inputs = torch.randn(K, N, 6, dtype=torch.float64)
    if not per_point:
        inputs, targets = inputs[0], targets[0]

    outputs = outputs_of_each(problem, pieces, inputs, per_point=per_point)
    losses = losses_of_each(problem, outputs, targets, per_point=per_point)
    gradients = torch.autograd.grad(losses.sum(), pieces)

    for k in range(K):
        own = [piece[k].detach().requires_grad_() for piece in pieces]
        x, t = (inputs[k], targets[k]) if per_point else (inputs, targets)
        alone = functional_call(problem.model, dict(zip(problem.names, own, strict=True)), (x,))
        torch.testing.assert_close(outputs[k], alone)
        value = loss(alone, t)
        torch.testing.assert_close(losses[k], value)
        for together, gradient in zip(gradients, torch.autograd.grad(value, own), strict=True):
            torch.testing.assert_close(together[k], gradient)
    if not per_point:
        accuracies = accuracies_of_each(outputs, targets)
        expected = [float(accuracy_of(output, targets)) for output in outputs]
        assert accuracies.tolist() == pytest.approx(expected, nan_ok=True)
