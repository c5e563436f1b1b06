"""Tensors that lie side by side in one block of memory, so that they travel as they are, in one message."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

ALIGNMENT = 8
"""Bytes to which each tensor's place is rounded up: the largest element is a double."""


class Flat:
    """A block of memory on the CPU with a view for each of some tensors.

    Args:
        like: the tensors whose shapes and dtypes the views have, on any device.
    """

    def __init__(self, like: Iterable[Tensor]) -> None:
        like = list(like)
        room = [-(-tensor.numel() * tensor.element_size() // ALIGNMENT) * ALIGNMENT for tensor in like]
        starts = [0, *accumulate(room)]
        pinned = any(tensor.is_cuda for tensor in like)
        self.block = torch.zeros(starts[-1], dtype=torch.uint8, pin_memory=pinned)
        self.views: list[Tensor] = []
        """One for each tensor, in their order."""
        for tensor, start in zip(like, starts, strict=False):
            size = tensor.numel() * tensor.element_size()
            piece = self.block[start : start + size].view(tensor.dtype)
            strides = torch.empty_like(tensor, device="meta").stride()  # channels last stay last: it is faster
            self.views.append(piece.as_strided(tensor.shape, strides))

    @property
    def bytes(self) -> memoryview:
        """The block itself, to be sent or to be received into."""
        return memoryview(self.block.numpy())  # type: ignore[arg-type]  # an array has a buffer

    @torch.no_grad()
    def take(self, tensors: Sequence[Tensor | None]) -> None:
        """Copies tensors into the block; None leaves zeros."""
        for view, tensor in zip(self.views, tensors, strict=True):
            if tensor is None:
                view.zero_()
            else:
                view.copy_(tensor.to_dense() if tensor.layout is not torch.strided else tensor, non_blocking=True)
        if self.block.is_pinned():
            torch.cuda.synchronize()

    @torch.no_grad()
    def give(self, tensors: Iterable[Tensor]) -> None:
        """Copies the block into tensors; what is a view of it already stays as it is."""
        for view, tensor in zip(self.views, tensors, strict=True):
            if tensor.data_ptr() != view.data_ptr():
                tensor.copy_(view, non_blocking=True)

    @torch.no_grad()
    def adopt(self, tensors: Iterable[Tensor]) -> None:
        """Makes the views the tensors' own memory, with the values that they have, where they are on the CPU."""
        for view, tensor in zip(self.views, tensors, strict=True):
            view.copy_(tensor)
            if not tensor.is_cuda:
                tensor.data = view


def trained(model: Any) -> list[Tensor]:
    """Returns the parameters of a model that gradients are computed for."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def statistics(model: Any) -> list[Tensor]:
    """Returns what a forward pass changes in a model beside its parameters: batch normalization's running estimates."""
    return list(model.buffers())
