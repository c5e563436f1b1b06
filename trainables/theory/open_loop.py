"""The training loop, cut open: what comes back of a displacement at the angle θ.

The closed loop has the characteristic equation 1 + aη L = 0 with L = w F D / (1 - w), w = exp(-iθ) on the unit circle.
There 1/(1 - w) = exp(iθ/2) / (2i sin(θ/2)), so with F = N/Q

    V(θ) = exp(-iθ/2) N D conj(Q),   L real and negative where Re V = 0 and Im V < 0,    1/|L| = 2 sin(θ/2) |Q| / |N D|.

V has no pole, and V(0) > 0: scanning it misses nothing where L itself would overflow.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tautune.trainables.theory.lag_polynomial import CHANGE, Complexes, LagPolynomial, Reals
from tautune.trainables.theory.optimizers import Filter


@dataclass(frozen=True, eq=False)
class OpenLoop:
    """L = w F D / (1 - w)."""

    optimizer: Filter
    """F = N/Q."""
    gradients: LagPolynomial
    """D."""

    @cached_property
    def variation(self) -> float:
        """A bound of |(1-w) D|: how much the share of a delay differs from that of the next one, summed."""
        return float(np.abs(self.gradients.plus(self.gradients.later(1), -1.0).coefficients).sum())

    def turned(self, θ: Reals) -> Complexes:
        """Returns V at the angles [I], in radians per step."""
        N, Q = self.optimizer.numerator.on_circle(θ), self.optimizer.denominator.on_circle(θ)
        return np.exp(-0.5j * θ) * N * self.gradients.on_circle(θ) * Q.conj()

    def steps(self, θ: Reals) -> Reals:
        """Returns 1/|L| at the angles [I]: the aη at which the loop passes on exactly what it is given."""
        N, Q = self.optimizer.numerator.on_circle(θ), self.optimizer.denominator.on_circle(θ)
        with np.errstate(divide="ignore"):
            steps: Reals = 2 * np.sin(θ / 2) * np.abs(Q) / np.abs(N * self.gradients.on_circle(θ))
        return steps

    @property
    def degree(self) -> float:
        """The lag of the last term, in steps."""
        return 1 + max(
            self.optimizer.numerator.degree + self.gradients.degree, self.optimizer.denominator.degree
        )  # of w N D and (1-w) Q

    def characteristic(self) -> tuple[LagPolynomial, LagPolynomial]:
        """Returns (1-w) Q and w N D: the loop's roots 1/w at the step aη are those of the first plus aη the second."""
        ahead = self.optimizer.numerator.times(self.gradients).later(1)
        return CHANGE.times(self.optimizer.denominator), ahead
