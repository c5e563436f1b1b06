"""Long tensors in slices that stay in a processor's cache, where several operations follow one another."""

from collections.abc import Iterator

from torch import Tensor
from torch.nn import Parameter

SLICE = 1 << 15
"""Elements of a slice: four tensors of it in double precision take one megabyte, as much as a core's cache."""


def slices(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yields the tensors, which have one shape, slice by slice; whole where they are short or not on the CPU.

    The slices are views: what is written to them is written to the tensors.
    """
    plain = all(type(t) in (Tensor, Parameter) and t.is_cpu and t.is_contiguous() for t in tensors)
    if not plain or tensors[0].numel() <= SLICE:
        yield tensors
        return
    yield from zip(*(tensor.detach().view(-1).split(SLICE) for tensor in tensors), strict=True)
