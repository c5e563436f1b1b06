"""A function of a few variables to follow optimizers on."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.optim import Optimizer


@dataclass(frozen=True, kw_only=True)
class PathStudy:
    """A function of a few variables on which methods are compared, in double precision."""

    name: str
    description: str
    function: Callable[[Tensor], Tensor]
    """x [P] ↦ f(x), a scalar"""
    start: tuple[float, ...]
    steps: int
    methods: dict[str, Callable[[list[Tensor]], Optimizer]]
    """Name → parameters ↦ optimizer"""
