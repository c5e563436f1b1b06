"""What a model makes of a batch, in a worker or in the last stage of a pipeline."""

from typing import NamedTuple

from torch import Tensor


class Judged(NamedTuple):
    """What is known of a batch when its loss was computed."""

    loss: Tensor
    """A scalar; in a stage it has its graph, and in a worker it may be without."""
    examples: int = 1
    hits: int = 0
    """Examples whose class was right."""
