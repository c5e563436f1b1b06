"""The optimizers of the paper behind a gradient queue."""

from collections.abc import Sequence

import torch
from torch.optim import Optimizer

from tautune.trainables.delay.queue import GradientQueue
from tautune.trainables.delay.shifted_momentum import ShiftedMomentumSGD
from tautune.trainables.theory.momentum import NO_MOMENTUM, Momentum


def delayed_sgd(
    parameters: Sequence[torch.nn.Parameter],
    learning_rate: float,
    delay: int,
    momentum: Momentum = NO_MOMENTUM,
    *,
    storage: torch.dtype | None = None,
) -> GradientQueue:
    """Returns SGD whose gradients, and with shifted momentum whose velocity too, are `delay` steps late."""
    optimizer: Optimizer
    if momentum.value:
        shift = delay if momentum.shifted else 0
        optimizer = ShiftedMomentumSGD(parameters, learning_rate, momentum=momentum.value, shift=shift)
    else:
        optimizer = torch.optim.SGD(parameters, learning_rate)
    return GradientQueue(optimizer, delay, storage=storage)
