"""What theory says of recorded ages: of their distribution, of one age that stands for it, and of their order.

Near its minimum, a training with the full batch follows x[t+1] = x[t] - k x[t - age], with k = η λ, along its sharpest
direction. So a recorded sequence of ages has a threshold of its own, at which this recursion neither grows nor shrinks.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

import tautune
from tautune.trainables.theory.delays import Delays
from tautune.trainables.threshold.growth import envelope_rate

SUMMARIES = ("distribution", "mean square", "mean age", "90 % quantile", "maximum")
"""What stands for the ages: all of them with their shares, in the mean and in the mean square, or one of them."""
SHUFFLED = 20
"""Random orders of the same ages over which the growth of independent draws is averaged."""
FASTEST, GONE = -1.0, 1e-150
"""The fastest decay a step that is told apart, and the distance at which everything is lost in rounding."""
OUTWARD = 1.15
"""Factor by which a bracket grows until the growth changes its sign in it."""


def shares_of(ages: Sequence[int]) -> dict[int, float]:
    counted = Counter(ages)
    return {age: counted[age] / len(ages) for age in sorted(counted)}


def summaries(ages: Sequence[int]) -> dict[str, float]:
    """Returns theory's threshold times the sharpness, by what the ages are summarized as."""
    loop = tautune.TrainingLoop("sgd", Delays.random(shares_of(ages)))
    return {
        "distribution": loop.threshold,
        "mean square": loop.mean_square_threshold(),
        "mean age": 2 * math.sin(math.pi / (4 * float(np.mean(ages)) + 2)),  # for a τ that need not be whole
        "90 % quantile": tautune.threshold(int(np.quantile(ages, 0.9, method="inverted_cdf"))),
        "maximum": tautune.threshold(max(ages)),
    }


def followed(ages: Sequence[int], k: float) -> NDArray[np.float64]:
    """Returns x [T + 1] of x[t+1] = x[t] - k x[t - age], from 1."""
    x = [1.0]
    for t, age in enumerate(ages):
        x.append(x[t] - k * x[t - age])
    return np.array(x)


def growth(ages: Sequence[int], k: float) -> float:
    """Returns the growth rate of |x| a step, estimated as a measurement does, but at least `FASTEST`."""
    x = followed(ages, k)
    alive = np.abs(x[-(len(x) // 4) :]).max() > GONE  # k = 1 at an age of 0 ends at 0 itself
    return max(envelope_rate(x), FASTEST) if alive else FASTEST


def threshold_of(sequences: Sequence[Sequence[int]], guess: float) -> float:
    """Returns the k near a guess at which the growth, averaged over the steps of some sequences of ages, is zero."""
    steps = [len(ages) for ages in sequences]

    def mean(log_k: float) -> float:
        return float(np.average([growth(ages, math.exp(log_k)) for ages in sequences], weights=steps))

    low = high = math.log(guess)
    while mean(low) > 0:
        low -= math.log(OUTWARD)
    while mean(high) < 0:
        high += math.log(OUTWARD)
    return math.exp(brentq(mean, low, high, xtol=1e-4))


def independent(ages: Sequence[int], steps: int) -> list[list[int]]:
    """Returns sequences of ages that are drawn independently of one another, with the shares of those given."""
    rng = np.random.default_rng(0)
    return [rng.choice(np.asarray(ages), steps).tolist() for _ in range(SHUFFLED)]


def reachable(ages: Sequence[int]) -> list[int]:
    """Returns the ages, none of them before the first step."""
    return [min(age, t) for t, age in enumerate(ages)]


def autocorrelation(ages: Sequence[int], lag: int) -> float:
    """Returns the correlation of ages that are `lag` updates apart; 0 where all are the same."""
    earlier, later = np.asarray(ages[:-lag], float), np.asarray(ages[lag:], float)
    spread = earlier.std() * later.std()
    return float(((earlier - earlier.mean()) * (later - later.mean())).mean() / spread) if spread else 0.0
