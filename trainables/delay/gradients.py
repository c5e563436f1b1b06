"""Gradients on their way from `.grad` into the queue and back."""

from collections.abc import Sequence

import torch
from torch import Tensor

from tautune.trainables.delay.ownership import is_borrowed

Gradients = list[Tensor | None]
"""One step's gradients, in the order of the parameters; None where a parameter had none."""


def take(
    parameters: Sequence[Tensor], *, dtype: torch.dtype | None, copy: bool
) -> tuple[Gradients, list[tuple[Tensor, Tensor]]]:
    """Returns the gradients to store, and each parameter whose gradient lies in borrowed memory, with that gradient.

    A gradient that belongs to `.grad` alone is stored as it is, unless `dtype` is another one; a borrowed one, or any
    if `copy` says so, is copied.
    """
    gradients: Gradients = []
    borrowed = []
    for parameter in parameters:
        gradient = parameter.grad
        if gradient is not None:
            if copy or is_borrowed(gradient):
                borrowed.append((parameter, gradient))
                gradient = gradient.detach().to(dtype or gradient.dtype, copy=True)
            elif dtype is not None:
                gradient = gradient.to(dtype)
        gradients.append(gradient)
    return gradients, borrowed


def give(parameters: Sequence[Tensor], due: Gradients, *, fresh: Sequence[Tensor | None], copy: bool) -> None:
    """Puts the gradients that are due into `.grad`; copies of them, if `copy` says so.

    A parameter that was added after them has none. Nor has a frozen one, which needs no gradient and has no `fresh`
    one either.
    """
    if len(due) < len(parameters):
        due = due + [None] * (len(parameters) - len(due))
    for parameter, gradient, new in zip(parameters, due, fresh, strict=True):
        if gradient is not None:
            if new is None and not parameter.requires_grad:
                gradient = None
            elif copy or gradient.dtype is not parameter.dtype:
                gradient = gradient.to(parameter.dtype, copy=True)
        parameter.grad = gradient
