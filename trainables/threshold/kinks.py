"""Tells a kink of the loss, where its gradient jumps, from a place where it only bends sharply."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

PROBES = {torch.float64: (1e-3, 1e-4, 1e-5, 1e-6), torch.float32: (1e-2, 1e-3)}
"""Distances, relative to ‖x‖, at which the gradient is compared with the one that the curvature predicts."""
KINKED = 0.3
"""Relative difference of these two gradients above which the gradient may jump."""
GROWTH = 2.0
"""Factor by which that difference grows at a jump when the distance is divided by ten. Measured: 5 to 10 with ReLU; in
smooth networks (batch norm, LSTM, transformer) the difference shrinks, at the larger distances little."""


def gradient_jumps(
    evaluate: Callable[[Tensor], tuple[float, Tensor]], curvature: Callable[[Tensor], Tensor], x: Tensor
) -> bool:
    """Returns whether the gradient jumps a little downhill of x.

    There it differs from what the curvature at x predicts, and relative to the distance by the more, the smaller the
    distance: a jump stays as large as it is.

    Args:
        evaluate: returns the loss and its gradient [P] at a point [P].
        curvature: returns H v at x for a direction v [P].
        x: the point [P].
    """
    _, gradient = evaluate(x)
    downhill = -gradient / gradient.norm()
    bend = curvature(downhill)
    differences = []
    for probe in PROBES[x.dtype]:
        distance = probe * (float(x.norm()) or 1.0)
        _, beyond = evaluate(x + distance * downhill)
        predicted = distance * bend
        differences.append(float((beyond - gradient - predicted).norm() / predicted.norm()))
    return any(near > max(KINKED, GROWTH * far) for far, near in pairwise(differences))
