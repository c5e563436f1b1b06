"""Finds where a growth rate changes sign: the largest learning rate at which training stays at its minimum.

The search brackets the root from any first guess, then closes in on it by interpolation, as root finders do. It uses
few values, because each one costs a training run. It only decides which learning rate to try next.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple


class Sample(NamedTuple):
    learning_rate: float
    growth: float
    """ln of the factor by which the distance to the minimum changes per step."""
    error: float
    """Uncertainty of the growth; a sample whose growth is closer to 0 than this decides nothing."""
    steps: int
    """Number of optimizer steps it took."""

    @property
    def decided(self) -> bool:
        """Returns whether the sign of the growth is certain."""
        return abs(self.growth) > self.error


class Threshold(NamedTuple):
    learning_rate: float
    uncertainty: float
    """Half the width of the bracket: training stayed at its lower end and left at its upper end."""


@dataclass(kw_only=True)
class ThresholdSearch:
    """Brackets the threshold: ask for `next_learning_rate()` and `add` the growth measured there, until `done`.

    Args:
        first_guess: learning rate to begin with; any value above 0 leads to the same threshold, a good one sooner.
        resolution: relative width of the final bracket.
        limit: largest number of samples.
    """

    first_guess: float
    resolution: float
    limit: int = 60
    samples: list[Sample] = field(default_factory=list)

    def add(self, sample: Sample) -> None:
        self.samples.append(sample)

    @property
    def lower(self) -> Sample | None:
        """Returns the sample of the largest learning rate, below `upper`, at which the distance shrank."""
        upper = self.upper
        below = [s for s in self.samples if s.decided and s.growth < 0 and (not upper or s < upper)]
        return max(below, default=None)

    @property
    def upper(self) -> Sample | None:
        """Returns the sample of the smallest learning rate at which the distance grew."""
        return min((s for s in self.samples if s.decided and s.growth > 0), default=None)

    @property
    def done(self) -> bool:
        """Returns whether the bracket is as narrow as `resolution` asks."""
        low, high = self.lower, self.upper
        return bool(low and high and high.learning_rate / low.learning_rate <= 1 + self.resolution)

    @property
    def exhausted(self) -> bool:
        """Returns whether the samples have reached their limit."""
        return len(self.samples) >= self.limit

    @property
    def failed(self) -> bool:
        """Returns whether there is no threshold (yet), because one end of the bracket is missing."""
        return not (self.lower and self.upper)

    def threshold(self) -> Threshold:
        """Returns the interpolated root inside the bracket.

        Raises:
            RuntimeError: there is no bracket yet.
        """
        low, high = self.lower, self.upper
        if not (low and high):
            raise RuntimeError("the threshold has not been bracketed")
        root = min(max(self._root(low, high), low.learning_rate), high.learning_rate)
        return Threshold(root, (high.learning_rate - low.learning_rate) / 2)

    def next_learning_rate(self) -> float:
        """Returns the learning rate to measure next."""
        low, high = self.lower, self.upper
        if not self.samples:
            return self.first_guess
        if not (low and high):
            return self._outward()
        return self._inward(low, high)

    def _outward(self) -> float:
        """Returns a learning rate beyond all samples, at a stride that doubles: 5 %, 10 %, 20 % … in the logarithm."""
        stride = math.exp(min(0.05 * 2 ** (len(self.samples) - 1), math.log(16)))
        if self.samples[-1].growth > 0:
            return min(s.learning_rate for s in self.samples) / stride
        return max(s.learning_rate for s in self.samples) * stride

    def _inward(self, low: Sample, high: Sample) -> float:
        """Returns a learning rate next to the interpolated root, on the side still open, or bisects if that is slow."""
        a, b = low.learning_rate, high.learning_rate
        undecided = sum(not s.decided for s in self.samples)
        beside = 1 + 0.4 * self.resolution * (1 + 0.2 * undecided)
        close = 1 + 0.6 * self.resolution * (1 + 0.2 * undecided)
        root = self._root(low, high)
        if not self._slow(b / a):
            if root / a > close and root / beside > a:
                return root / beside
            if b / root > close and root * beside < b:
                return root * beside
        return a * math.pow(b / a, 0.5 / (1 + undecided))

    def _slow(self, ratio: float) -> bool:
        """Returns whether the last three samples failed to halve the bracket, whose ends now have this `ratio`."""
        before = ThresholdSearch(first_guess=0, resolution=0, samples=self.samples[:-3])
        low, high = before.lower, before.upper
        return bool(low and high and ratio**2 > high.learning_rate / low.learning_rate)

    def _root(self, low: Sample, high: Sample) -> float:
        """Returns the η where the growth, interpolated in ln η through the bracket and its nearest sample, is zero."""
        x0, x1 = math.log(low.learning_rate), math.log(high.learning_rate)
        y0, y1 = low.growth, high.growth
        root = x0 - y0 * (x1 - x0) / (y1 - y0)
        others = [s for s in self.samples if s.learning_rate not in (low.learning_rate, high.learning_rate)]
        if others:
            near = min(others, key=lambda s: abs(math.log(s.learning_rate) - root))
            x2, y2 = math.log(near.learning_rate), near.growth
            if y2 not in (y0, y1):  # inverse quadratic interpolation
                curved = (
                    x0 * y1 * y2 / ((y0 - y1) * (y0 - y2))
                    + x1 * y0 * y2 / ((y1 - y0) * (y1 - y2))
                    + x2 * y0 * y1 / ((y2 - y0) * (y2 - y1))
                )
                if x0 < curved < x1:
                    root = curved
        return math.exp(root)
