"""The growth where steps differ by chance: the mean over trainings that begin beside the minimum again and again.

The distance then walks at random, and near the threshold it is chance that decides on which side a single training
leaves the range in which its growth can be measured. Many of them together know the drift: the sum of what they gained,
in ln distance, over the sum of their steps has no bias by where they ended (Wald's identity).
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from tautune.trainables.threshold.delayed_training import LIMITS, DelayedTraining
from tautune.trainables.threshold.growth import Growth
from tautune.trainables.threshold.record import Settings

STEPS_OF_VARYING_DELAYS = 6_000
"""Largest number of steps over which the growth under delays that are drawn is averaged."""
STEPS_OF_WORKERS = 2_000
"""The same where real workers train, whose steps take longer: the growth is known to some 0.002 a step then."""
CERTAIN = 3.0
"""Standard errors of the growth beyond which its sign is certain, and no more steps are spent on it."""
FEWEST = 8
"""Passages that it takes to know their standard error."""


def steps_of_varying(settings: Settings, examples: int) -> int:
    """Returns the steps over which the growth is averaged at most: 200 (τ+1), or 20 epochs, or those of the delays."""
    epochs = 20 * math.ceil(examples / settings.mini_batch) if settings.mini_batch else 0
    delays = 0
    if settings.update and settings.update.varies:
        delays = STEPS_OF_WORKERS if settings.update.workers else STEPS_OF_VARYING_DELAYS
    return max(200 * (settings.delay + 1), epochs, delays)


def mean_growth(begin: Callable[[int], DelayedTraining], steps: int) -> tuple[Growth, float]:
    """Returns the growth over at least `steps` steps, or over as many as its sign takes; and the gradients it took.

    Args:
        begin: returns the training of passage 0, 1, …, each with chances of its own.
    """
    gained: list[float] = []
    lasted: list[int] = []
    evaluations, taken = 0.0, 0
    while True:
        training = begin(len(gained))
        leave, settle = LIMITS[training.minimum.point.dtype]
        training.advance(steps - taken, leave=leave, settle=settle)
        taken += training.steps
        evaluations += training.gradient_evaluations
        gain, length = _gain(training, leave=leave)
        if taken < steps or not gained or length > 4 * _window(training):  # or it was cut off before it told anything
            gained.append(gain)
            lasted.append(length)
        rate = sum(gained) / sum(lasted)
        if taken >= steps or _certain(np.array(gained), np.array(lasted)):
            return Growth(rate, 0.0, taken), evaluations


def _gain(training: DelayedTraining, *, leave: float) -> tuple[float, int]:
    """Returns what ln distance has gained in how many steps: since the start has passed, if there is enough besides."""
    steps, window = len(training.norm) - 1, _window(training)
    if training.overflowed:
        return math.log(leave), max(1, steps)
    vanished = torch.finfo(training.minimum.point.dtype).eps * training.distance  # a step can end at the minimum
    energy = np.square(np.maximum(training.norm, vanished))
    first = window if steps >= 4 * window else 0
    early = energy[first : first + window].mean() if first else energy[0]
    return 0.5 * math.log(energy[-window:].mean() / early), max(1, steps + 1 - first - window)


def _window(training: DelayedTraining) -> int:
    return 2 * (training.settings.delay + 1)


def _certain(gained: NDArray[np.float64], lasted: NDArray[np.int64]) -> bool:
    """Returns whether the ratio of the sums is beyond its standard error, that of a ratio estimator."""
    n, total = len(gained), lasted.sum()
    rate = gained.sum() / total
    if n < FEWEST:
        return False
    error = math.sqrt(n / (n - 1) * np.square(gained - rate * lasted).sum()) / total
    return bool(abs(rate) > CERTAIN * error)
