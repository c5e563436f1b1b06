"""A study whose loss has a function that can be differentiated once only."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from tautune import StabilityStudy


class Absolute(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.abs()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        found: Tensor = gradient * ctx.saved_tensors[0].sign()
        return found


def data() -> tuple[Tensor, Tensor]:
    inputs = torch.linspace(-1, 1, 8)[:, None]
    return inputs, -inputs


def loss(outputs: Tensor, targets: Tensor) -> Tensor:
    folded: Tensor = Absolute.apply(outputs)
    return (folded - targets).square().mean()


STUDY = StabilityStudy(name="once", data=data, model=lambda: nn.Linear(1, 1), loss=loss)
