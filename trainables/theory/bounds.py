"""What is known of a loop on whole intervals of angles, so that a scan can prove that it missed no crossing."""

import numpy as np
from numpy.typing import NDArray

from tautune.trainables.theory import discs
from tautune.trainables.theory.discs import Discs
from tautune.trainables.theory.lag_polynomial import Reals
from tautune.trainables.theory.open_loop import OpenLoop

Which = NDArray[np.bool_]


class Bounds:
    """Discs of V, and a lower bound of 1/|L|, within r of each angle θ [I]."""

    least_step: Reals
    """The smallest 1/|L| that the interval may have [I]."""

    def __init__(self, loop: OpenLoop, θ: Reals, r: float) -> None:
        self._θ, self._r = θ, r
        D, N, Q = loop.gradients, loop.optimizer.numerator, loop.optimizer.denominator
        late = [float(p.lags[0]) for p in (D, N)]  # pure delays, which turn V and leave its modulus alone
        self._turns = 0.5 + sum(late)
        self._factors = [D.later(-late[0]), N.later(-late[1]), Q]
        values = [discs.values(p, θ, r) for p in self._factors]
        self._values = [values[0], values[1], values[2].conjugate()]
        change = 2 * np.sin(np.maximum(θ - r, 0.0) / 2)  # |1 - w|, at least
        with np.errstate(divide="ignore", invalid="ignore"):
            gradients = np.minimum(values[0].largest, loop.variation / change)
            self.least_step = change * values[2].smallest / (gradients * values[1].largest)

    def of(self, kept: Which) -> "Bounds":
        """Returns the bounds of some of the intervals."""
        some = object.__new__(Bounds)
        some._r, some._turns, some._factors = self._r, self._turns, self._factors
        some._θ, some.least_step = self._θ[kept], self.least_step[kept]
        some._values = [Discs(value.center[kept], value.radius[kept]) for value in self._values]
        return some

    def may_cross(self, step: float) -> Which:
        """Returns which intervals may hold a crossing below `step`, as far as the discs tell."""
        V = self._turned(self._product)
        open_: Which = (np.abs(V.center.real) <= V.radius) & (V.center.imag <= V.radius) & (self.least_step < step)
        return open_

    def by_slope(self) -> tuple[Which, Which]:
        """Returns which intervals may hold a crossing as far as the slope of V tells, and in which Re V is monotone."""
        if not len(self._θ) or self._r * max(p.degree for p in self._factors) >= 1:
            return np.ones(len(self._θ), dtype=bool), np.zeros(len(self._θ), dtype=bool)
        V, slope = self._turned(self._product).center, self._slope
        open_ = np.abs(V.real) <= self._r * (np.abs(slope.center.real) + slope.radius)
        open_ &= V.imag <= self._r * (np.abs(slope.center.imag) + slope.radius)
        return open_, open_ & (np.abs(slope.center.real) > slope.radius)

    @property
    def _product(self) -> Discs:
        """N D conj(Q) without its pure delays."""
        D, N, Q = self._values
        return D.times(N).times(Q)

    @property
    def _slope(self) -> Discs:
        """V', by the product rule."""
        D, N, Q = self._values
        dD, dN, dQ = (discs.slopes(p, self._θ, self._r) for p in self._factors)
        slope = dD.times(N).times(Q).plus(D.times(dN).times(Q)).plus(D.times(N).times(dQ.conjugate()))
        product = self._product
        turning = Discs(-1j * self._turns * product.center, self._turns * product.radius)
        return self._turned(slope.plus(turning))

    def _turned(self, M: Discs) -> Discs:
        """Returns discs of exp(-i turns θ) M."""
        turn = np.exp(-1j * self._turns * self._θ)
        return Discs(M.center * turn, M.radius + M.largest * min(2.0, self._turns * self._r))
