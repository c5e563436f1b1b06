"""Forward and backward passes at weights that are not the optimizer's present ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


class Elsewhere:
    """Puts other values into the parameters, in place, for a block of code, and the present ones back bit for bit.

    A backward pass after the block, of a forward pass inside it, is refused by torch: the weights that it needs are no
    longer there.
    """

    def __init__(self, name: str) -> None:
        self.name, self.inside = name, False

    @contextmanager
    def block(self, leave: Callable[[], None], come_back: Callable[[], None]) -> Iterator[None]:
        """Calls `leave` before the block and `come_back` after it; a block within a block does neither."""
        if self.inside:
            yield
            return
        with torch.no_grad():
            leave()
        self.inside = True
        try:
            yield
        finally:
            self.inside = False
            with torch.no_grad():
                come_back()

    def check_outside(self) -> None:
        """Raises ValueError within the block, where the parameters are not the ones that are to be updated."""
        if self.inside:
            raise ValueError(f"step() was called within `with optimizer.{self.name}():`; it belongs after the block")

    def __reduce__(self) -> tuple[Any, ...]:
        return Elsewhere, (self.name,)
