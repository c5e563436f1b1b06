"""Turns a user's model and data into a `Problem` without changing either."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from tautune.trainables.theory.problem import Loss, Problem


def prepare_problem(
    model: nn.Module,
    loss: Loss,
    inputs: Any,
    targets: Any,
    *,
    l2: float = 0.0,
    precision: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> Problem:
    """Returns the problem at the model's current weights, with a copy of the model in eval mode.

    So dropout is off, and batch norm uses its running statistics unchanged. Floating-point inputs, targets and weights
    are cast to `precision`; integers, such as token ids and classes, stay integers.

    Args:
        inputs, targets: tensors, or anything `torch.as_tensor` accepts, with the N examples along the first dimension.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model must be a torch Module, not {model!r}")
    if any(parameter.is_complex() for parameter in model.parameters()):
        raise ValueError("the model has complex parameters; they must be real")
    copied = copy.deepcopy(model).to(device=device, dtype=precision).eval()
    if isinstance(loss, nn.Module):  # whose weights of classes are of the model's precision
        loss = copy.deepcopy(loss).to(device=device, dtype=precision)
    cast = [_cast(values, precision).to(device) for values in (inputs, targets)]
    return Problem(copied, loss, cast[0], cast[1], l2=l2)


def _cast(values: Any, precision: torch.dtype) -> Tensor:
    tensor = torch.as_tensor(values).detach()
    return tensor.to(precision) if tensor.is_floating_point() else tensor
