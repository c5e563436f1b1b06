"""Catches gradients that are overwritten where the queue cannot see it."""

import weakref
from collections.abc import Sequence
from typing import Self

from torch import Tensor

from tautune.trainables.delay.gradients import Gradients


class Witness:
    """Watches one parameter from one step to the next.

    A CUDA graph, when replayed, writes gradients to where they were when it was captured, and memory may be shared
    with a library other than torch: no reference count tells. But then the parameter's next gradient lies where the
    last one, which is stored, still lies; or `.grad` is still what the last step left there, unchanged.
    """

    __slots__ = ("parameter", "stored_at", "left", "version")

    def __init__(self, parameter: Tensor, stored: Tensor | None) -> None:
        left = parameter.grad
        self.parameter = parameter
        self.stored_at = None if stored is None else stored.data_ptr()
        self.left = None if left is None else weakref.ref(left)
        self.version = 0 if left is None else left._version

    @classmethod
    def of(cls, parameters: Sequence[Tensor], stored: Gradients) -> Self | None:
        """Returns a witness of the first parameter that had a gradient in this step, or was left one by it."""
        for parameter, gradient in zip(parameters, stored, strict=True):
            if (gradient is not None or parameter.grad is not None) and parameter.numel() > 0:
                return cls(parameter, gradient)
        return None

    def check(self) -> None:
        """Raises ValueError if the parameter's gradient was overwritten, or not replaced, since the last step."""
        gradient = self.parameter.grad
        if gradient is None:
            return
        untouched = self.left is not None and self.left() is gradient and gradient._version == self.version
        if untouched or gradient.data_ptr() == self.stored_at:
            raise ValueError(
                "`.grad` is still the one that the last step left, or overwrites the one it stored. Either there was "
                "no backward pass since, or gradients are written where the queue cannot see it (a CUDA graph's "
                "replay, memory of another library): pass copy=True to GradientQueue"
            )
