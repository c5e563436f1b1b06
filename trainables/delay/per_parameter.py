"""Tensors that go with an optimizer's parameters, in the form in which a state dict holds them."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

Groups = Sequence[dict[str, Any]]
"""The parameter groups of an optimizer."""


def parameters_of(groups: Groups) -> list[Tensor]:
    """Returns the parameters of all groups, in order."""
    return [parameter for group in groups for parameter in group["params"]]


def listed(tensors: Mapping[Tensor, Tensor], groups: Groups) -> list[Tensor | None]:
    """Returns copies of the parameters' tensors in the order of the parameters, None where a parameter has none."""
    return [tensors[p].clone() if p in tensors else None for p in parameters_of(groups)]


def by_parameter(tensors: Sequence[Tensor | None], groups: Groups, *, what: str) -> dict[Tensor, Tensor]:
    """Returns copies of listed tensors by parameter, each on its parameter's device.

    Raises:
        ValueError: there is another number of them than parameters, or one has another shape than its parameter.
    """
    parameters = parameters_of(groups)
    if len(tensors) != len(parameters):
        raise ValueError(
            f"the state's {what} are for {len(tensors)} parameters, and the optimizer has {len(parameters)}"
        )
    found = {}
    for number, (parameter, tensor) in enumerate(zip(parameters, tensors, strict=True)):
        if tensor is None:
            continue
        if tensor.shape != parameter.shape:
            raise ValueError(
                f"the state's {what} of parameter {number} have shape {tuple(tensor.shape)}, "
                f"where {tuple(parameter.shape)} is due"
            )
        found[parameter] = tensor.to(parameter.device, copy=True)
    return found
