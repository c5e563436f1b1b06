"""The threshold of typical growth: the step up to which a single training with varying delays comes closer.

With delays that vary, ln of the distance to a minimum is a random walk, whose drift is the Lyapunov exponent of the
recursion. The mean E x is another thing: trainings that differ in sign cancel in it, so that its threshold may be above
the one of any training. No closed form of the drift is known, so the recursion is followed here, with the delays as
they were recorded or with delays that are drawn independently.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tautune.trainables.theory.lag_polynomial import Reals
from tautune.trainables.theory.open_loop import OpenLoop
from tautune.trainables.theory.remedies import LateGradients

Ages = NDArray[np.int64]
RUNS, STEPS = 100, 2_000
"""Recursions that are followed side by side, and steps of each: the drift is known to about 0.002 a step then."""
FEWEST = 40
"""Ages that a record has at least: of fewer, the growth is not known."""
TOGETHER = 16
"""Steps between which nothing can overflow; after them the recursions are scaled down."""
BEGINNING = 10
"""One over the share of the steps that are not counted, since no delay has acted yet."""
OUTWARD = 1.05
"""Factor by which a bracket grows until the drift changes its sign in it."""
MOST = 400
"""Tries of that: with it, the step has changed by a factor of 10⁸."""


def typical_threshold(loop: OpenLoop, late: LateGradients, guess: float, ages: Ages | None = None) -> float:
    """Returns the aη at which the typical growth is zero, to about half a per cent.

    Args:
        guess: an aη, such as the mean-square threshold.
        ages: the delays [T] of the steps as they came, all of them among `late.delays`; None draws them independently.

    Raises:
        ValueError: the growth has one sign at all steps around the guess, or there are fewer than `FEWEST` ages.
    """
    from scipy.optimize import brentq  # which takes half a second to import

    followed = _drawn(late) if ages is None else _side_by_side(np.asarray(ages))

    @cache
    def drift(log_step: float) -> float:
        return typical_growth(loop, late, followed, math.exp(log_step))

    low = high = math.log(guess)
    for _ in range(MOST):
        if drift(low) < 0:
            break
        low -= math.log(OUTWARD)
    for _ in range(MOST):
        if drift(high) > 0:
            return math.exp(brentq(drift, low, high, xtol=1e-4))
        low, high = high if drift(high) < 0 else low, high + math.log(OUTWARD)
    raise ValueError("the typical growth has one sign at all steps")


def typical_growth(loop: OpenLoop, late: LateGradients, ages: Ages, step: float) -> float:
    """Returns the mean growth of ln |x| a step at aη = step.

    Args:
        ages: the delay of each step [T] of each of some recursions [C], shape [T, C].
    """
    still, N = loop.characteristic()[0], loop.optimizer.numerator
    a, b = still.dense(int(still.degree) + 1), N.dense(int(N.degree) + 1)
    before = max(len(a), int(ages.max()) + 2)
    steps, runs = ages.shape
    place, every = np.searchsorted(late.delays.steps, ages), np.arange(runs)
    T, c = late.horizons[place], late.compensated
    x = np.ones((before + steps, runs)) + 0.1 * np.random.default_rng(0).standard_normal((before + steps, runs))
    g = np.zeros((len(b) + steps, runs))
    change = np.zeros(runs)
    first = steps // BEGINNING // TOGETHER * TOGETHER
    for t in range(steps):
        now, then = before + t - 1, before + t - 1 - ages[t]
        g[len(b) + t] = c * x[now] + (1 - c) * ((1 + T[t]) * x[then, every] - T[t] * x[then - 1, every])
        recent, late_ones = x[now : now - len(a) + 1 : -1], g[len(b) + t : t : -1]
        x[before + t] = -a[1:] @ recent / a[0] - step * (b @ late_ones) / a[0]
        if (t + 1) % TOGETHER == 0:
            last = x[t + 1 : before + t + 1]
            size = np.maximum(np.abs(last).max(axis=0), 1e-300)
            last /= size
            g[t + 1 : len(b) + t + 1] /= size
            if t >= first + TOGETHER - 1:
                change += np.log(size)
    counted = steps // TOGETHER * TOGETHER - first
    return float(change.mean() / counted)


def _drawn(late: LateGradients) -> Ages:
    shares: Reals = np.array(late.delays.shares)
    return np.random.default_rng(0).choice(late.delays.steps, (STEPS, RUNS), p=shares / shares.sum())


def _side_by_side(ages: Ages) -> Ages:
    """Returns a record [T] cut into recursions of up to `STEPS` steps, [steps, runs]."""
    if len(ages) < FEWEST:
        raise ValueError(f"ages must be at least {FEWEST}, not {len(ages)}: their growth is not known otherwise")
    runs = max(1, len(ages) // STEPS)
    return ages[: len(ages) // runs * runs].reshape(runs, -1).T
