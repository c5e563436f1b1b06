"""Gradients of a model and a loss of the user's, in one process."""

from copy import deepcopy

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tautune.trainables.asynchronous.own_loss import MakeOwnLoss
from tests.trainables.delay.small_training import batch


def loss(model: nn.Module, pair: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return cross_entropy(model(pair[0]), pair[1])


def gradient_of(model: nn.Module) -> torch.Tensor:
    return torch.cat([one.grad.flatten() for one in model.parameters() if one.grad is not None])


def test_what_is_in_eval_mode_stays_there() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 3)).double()
    model[1].eval()
    model[2].eval()
    plain = deepcopy(model)
    computed = MakeOwnLoss(model, loss, batch, seed=0)("cpu")
    computed.compute(3)
    loss(plain, batch(3)).backward()
    assert [module.training for module in computed.model.children()] == [True, False, False, True]
    assert torch.equal(gradient_of(computed.model), gradient_of(plain))
