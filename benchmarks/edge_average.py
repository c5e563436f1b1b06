"""Looks at trainings by averages over time: of what is seen of them, and of their weights.

At the edge the weights oscillate, and λ rises and falls. If what is above the edge at single looks were of that alone,
averages over whole cycles would be at the edge.
"""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, median

import torch
from torch import Tensor

from tautune.trainables.edge.following import Following
from tautune.trainables.edge.names import loop_of
from tautune.trainables.edge.runs import Runs


class Average:
    """Sees SGD's ratios at each training's mean weights over its last oscillation.

    Args:
        trainings: all of one delay τ; from now on they keep their last weights.
        period: steps of an oscillation at the edge, 2 (2τ + 1).
    """

    def __init__(self, trainings: Runs, *, period: int) -> None:
        self.trainings, self.following = trainings, Following(trainings, every=1)
        self.last: deque[Tensor] = deque(maxlen=period)
        trainings.queue.register_step_post_hook(lambda *_: self.last.append(trainings.x.clone()))

    def look(self) -> list[tuple[int, int, float]]:
        """Returns step, seed and ratio of each training that has not diverged."""
        trainings, here = self.trainings, self.trainings.x.clone()
        with torch.no_grad():
            trainings.x.copy_(torch.stack(tuple(self.last)).mean(dim=0))
        found = self.following.sharpness_at(torch.ones_like(here), trainings.alive)
        with torch.no_grad():
            trainings.x.copy_(here)
        seen = []
        for k, λ in zip(trainings.alive, found, strict=True):
            delay, rate, seed = trainings.runs[k]
            seen.append((trainings.time, seed, rate * λ / loop_of("sgd", delay).threshold))
        return seen


def whole_cycles(ratios: Sequence[float]) -> float | None:
    """Returns the mean from the first to the last rise of the ratios through their median; None without two of them."""
    middle = median(ratios)
    rises = [i for i, (before, after) in enumerate(pairwise(ratios), 1) if before < middle <= after]
    return fmean(ratios[rises[0] : rises[-1]]) if len(rises) > 1 else None
