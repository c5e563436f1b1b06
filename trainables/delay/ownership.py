"""Whether a gradient's memory is anybody else's too, who may write to it later.

After an ordinary backward pass a gradient belongs to `.grad` alone, and the queue can keep it by reference. A gradient
that lives in a static buffer (a bucket of DistributedDataParallel, a trainer's flat buffer) is overwritten by the next
backward pass, so the queue has to copy it. Only reference counts tell the two apart before the harm is done: those of
the Python object, of the tensor and of its storage. Torch keeps the last two private: this file is the only one that
reads them, and where they are not to be had, or do not count as expected, every gradient counts as borrowed. That is
slower, and correct.
"""

import sys
from typing import Any

import torch
from torch import Tensor


def is_borrowed(gradient: Tensor) -> bool:
    """Returns whether anything but `.grad` and one variable of the caller's refers to the gradient's memory.

    Gradients of a tensor subclass (FSDP2's, for instance), sparse ones and those that are part of a graph
    (`create_graph=True`) count as borrowed.
    """
    return (
        type(gradient) is not Tensor
        or gradient.requires_grad
        or gradient.layout is not _STRIDED
        or _WHEN_OWNED is None
        or (
            _references(gradient),
            gradient._use_count(),
            _storage_uses(gradient.untyped_storage()._cdata),
        )
        != _WHEN_OWNED
    )


_STRIDED = torch.strided
_references = sys.getrefcount
_storage_uses: Any = getattr(torch._C, "_storage_Use_Count", None)


def _counts(gradient: Tensor) -> tuple[int, int, int]:
    """Returns how many refer to the Python object, to the tensor and to its storage."""
    uses = gradient._use_count()
    return _references(gradient), uses, _storage_uses(gradient.untyped_storage()._cdata)


def _counts_when_owned() -> tuple[int, int, int] | None:
    """Returns the counts of a gradient that belongs to `.grad` alone; None where counts do not set it apart."""
    parameter = torch.ones(2, requires_grad=True)
    parameter.sum().backward()
    gradient = parameter.grad
    assert gradient is not None
    try:
        owned = _counts(gradient)
        held, view = [gradient], gradient.detach()
        shared = _counts(gradient)
    except (AttributeError, TypeError, RuntimeError):
        return None
    del held, view
    return owned if shared[0] > owned[0] and shared[2] > owned[2] else None


_WHEN_OWNED = _counts_when_owned()
