"""The gradients of a stack, written out and not, against autograd's of each network alone."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import mse_loss

from tautune.trainables.grid.stacked_gradient import losses_and_gradients
from tests.trainables.grid.test_stacked_network import NETWORKS, TARGETS, K, N, make_problem

DEEP = nn.Sequential(
    nn.Linear(6, 5), nn.Sigmoid(), nn.Linear(5, 4), nn.Linear(4, 4, bias=False), nn.ReLU(inplace=True), nn.Linear(4, 3)
)
WRITTEN_OUT = {"fully connected", "without bias", "several layers", "ends with an activation"}
OWN = {"several layers": DEEP, "ends with an activation": nn.Sequential(nn.Linear(6, 3), nn.Tanh())}


@pytest.mark.parametrize("per_point", [True, False])
@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("name", NETWORKS | OWN)
def test_each_gradient_is_autograds(name: str, kind: str, per_point: bool) -> None:
    loss, targets = TARGETS[kind]
    problem, pieces = make_problem((NETWORKS | OWN)[name], loss, targets)
    inputs = torch.randn(K, N, 6, dtype=torch.float64)
    if not per_point:
        inputs, targets = inputs[0], targets[0]
    losses, gradients = losses_and_gradients(problem, pieces, inputs, targets, per_point=per_point)
    assert not losses.requires_grad
    for k in range(K):
        own = [piece[k].detach().requires_grad_() for piece in pieces]
        x, t = (inputs[k], targets[k]) if per_point else (inputs, targets)
        value = loss(functional_call(problem.model, dict(zip(problem.names, own, strict=True)), (x,)), t)
        torch.testing.assert_close(losses[k], value.detach())
        for together, gradient in zip(gradients, torch.autograd.grad(value, own), strict=True):
            torch.testing.assert_close(together[k], gradient)


@pytest.mark.parametrize("name", NETWORKS | OWN)
def test_autograd_has_nothing_to_do_with_those_that_are_written_out(name: str) -> None:
    loss, targets = TARGETS["classes"]
    model = copy.deepcopy((NETWORKS | OWN)[name])  # vmap leaves tensors of its own in a layer that is there twice
    problem, pieces = make_problem(model, loss, targets)
    saved: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        saved.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        losses_and_gradients(problem, pieces, torch.randn(K, N, 6, dtype=torch.float64), targets, per_point=True)
    assert bool(saved) is (name not in WRITTEN_OUT)


def test_a_loss_of_ones_own_is_left_to_autograd() -> None:
    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return mse_loss(outputs, targets) + outputs.abs().mean()

    targets = torch.rand(K, N, 3, dtype=torch.float64)
    problem, pieces = make_problem(OWN["several layers"], loss, targets)
    inputs = torch.randn(K, N, 6, dtype=torch.float64)
    _, gradients = losses_and_gradients(problem, pieces, inputs, targets, per_point=True)
    own = [piece[1].detach().requires_grad_() for piece in pieces]
    outputs = functional_call(problem.model, dict(zip(problem.names, own, strict=True)), (inputs[1],))
    for together, gradient in zip(gradients, torch.autograd.grad(loss(outputs, targets[1]), own), strict=True):
        torch.testing.assert_close(together[1], gradient)
