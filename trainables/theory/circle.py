"""A loop's characteristic polynomial on circles |w| = ρ, evaluated by one fast Fourier transform.

The polynomial is A + aη B in the lag w = 1/z, with A = (1-w) Q and B = w N D. Its zero of smallest modulus 1/|z| is the
loop's dominant root. By the argument principle, the number of zeros in |w| < ρ is the number of times that A + aη B
winds around 0 on the circle; and since aη is the only thing that varies, one transform of A and of B serves every aη.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tautune.trainables.theory.lag_polynomial import Complexes, LagPolynomial, Reals
from tautune.trainables.theory.zeros import zeros

POINTS = 16
"""Points on the circle for each power of the polynomial, at least: between two of them its phase turns little."""
FEWEST_POINTS = 256
ON_AXIS = 1e-7
"""Sine of the angle below which a point counts as one on the real axis."""
PRECISION = 1e-11
"""Of the angle of a zero on the circle."""
ITERATIONS = 20
"""Of the search for it: more of them only chase rounding."""
NEAR = 0.25
"""Share of the values beside a top or bottom below which it must be expected to be looked at."""
BESIDE = 4.0
"""How many times as large as a crossing's aη |f| is at most beside it."""
HALVINGS = 40
"""How often an interval is halved at most in which the polynomial turns much, as beside one of its zeros."""
LARGEST_DEGREE = 1_000_000
"""Largest degree in steps: its transform takes a second, and half a gigabyte."""


@dataclass(frozen=True, eq=False)
class Characteristic:
    """A + aη B."""

    still: LagPolynomial
    """A = (1-w) Q."""
    driven: LagPolynomial
    """B = w N D."""

    def __post_init__(self) -> None:
        if self.degree > LARGEST_DEGREE:
            raise ValueError(f"delays must be below a million steps here; these reach {self.degree:.0f}")

    @property
    def degree(self) -> int:
        """The polynomial's degree."""
        return int(max(self.still.degree, self.driven.degree))

    def at(self, step: float) -> LagPolynomial:
        """Returns the polynomial at aη = step."""
        return self.still.plus(self.driven, step)

    def circle(self, ρ: float, finer: int = 1) -> "Circle":
        """Returns A and B on the upper half of the circle |w| = ρ."""
        least = max(FEWEST_POINTS, POINTS * finer * (self.degree + 1))
        size = 1 << (least - 1).bit_length()
        A, B = (_on_half_circle(p, ρ, size) for p in (self.still, self.driven))
        return Circle(self, ρ, np.linspace(0.0, math.pi, size // 2 + 1), A, B)


@dataclass(frozen=True, eq=False)
class Circle:
    """A and B at w = ρ exp(iα). Shapes: [I] angles, from 0 to π."""

    characteristic: Characteristic
    ρ: float
    angles: Reals
    A: Complexes
    B: Complexes

    def inside(self, step: float) -> int:
        """Returns how many zeros A + aη B has in |w| < ρ."""
        _, values = self._resolved(step)
        turns = np.angle(values[1:] * values[:-1].conj()).sum() / math.pi
        return round(float(turns))

    def nearest_zeros(self, step: float, count: int) -> Complexes:
        """Returns points of the circle beside which A + aη B has its zeros, those nearest to one first."""
        angles, values = self._resolved(step)
        size = np.abs(values)
        before, after = np.append(size[1], size[:-1]), np.append(size[1:], size[-2])
        valleys = np.flatnonzero((size <= before) & (size <= after))
        return self.ρ * np.exp(1j * angles[valleys[np.argsort(size[valleys])][:count]])

    def _resolved(self, step: float) -> tuple[Reals, Complexes]:
        """Returns angles, and A + aη B there, between which it turns by less than a right angle."""
        p = self.characteristic.at(step)
        angles, values = self.angles, self.A + step * self.B
        for _ in range(HALVINGS):
            size = np.abs(values)
            wide = np.flatnonzero(np.abs(np.diff(values)) > np.minimum(size[:-1], size[1:]))
            if not len(wide):
                break
            between = (angles[wide] + angles[wide + 1]) / 2
            angles = np.insert(angles, wide + 1, between)
            values = np.insert(values, wide + 1, p.at(self.ρ * np.exp(1j * between)))
        return angles, values

    def crossings(self, below: float) -> tuple[Complexes, Reals, NDArray[np.int64]]:
        """Returns the zeros that A + aη B has on the circle for 0 < aη < below, as (w, aη, entering) [crossings].

        They lie where f = -A/B is real, and aη is f there. As aη grows, a zero and its conjugate leave the disc where
        Im f rises through 0 with the angle α, and `entering` is -2; they enter it where Im f falls. One on the real
        axis does so alone.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            f = -self.A / self.B
        near = np.abs(f) < BESIDE * below
        near[:-1] |= near[1:]  # at one of an interval's ends
        angles, values = self._with_extrema(self._slant(self.angles), near)
        sign = values > 0  # of Im f, also next to the ends
        low = np.flatnonzero(sign[:-1] != sign[1:])
        low = low[near[np.searchsorted(self.angles, angles[low], side="right") - 1]]
        inner = (
            zeros(self._slant, angles[low], angles[low + 1], precision=PRECISION, iterations=ITERATIONS)
            if len(low)
            else angles[:0]
        )
        α = np.concatenate([[0.0], inner, [math.pi]])
        entering = np.concatenate([[-1 if sign[0] else 1], np.where(sign[low], 2, -2), [1 if sign[-1] else -1]])
        w = self.ρ * np.exp(1j * α)
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = (-self.characteristic.still.at(w) / self.characteristic.driven.at(w)).real
        kept = (steps > 0) & (steps < below)
        order = np.argsort(steps[kept], kind="stable")
        return w[kept][order], steps[kept][order], entering[kept][order]

    def _with_extrema(self, values: Reals, wanted: NDArray[np.bool_]) -> tuple[Reals, Reals]:
        """Returns the angles and their values, with the tops and bottoms between them that come near 0."""
        before, here, after = values[:-2], values[1:-1], values[2:]
        bend = before - 2 * here + after
        vertex = here - np.divide((before - after) ** 2, 8 * bend, out=np.zeros_like(bend), where=bend != 0)
        beside = np.minimum(np.abs(before), np.abs(after))
        near = (np.abs(here) <= beside) & (vertex * np.sign(here) < NEAR * beside)
        nearest = np.flatnonzero(near & (here * before > 0) & (here * after > 0) & wanted[1:-1]) + 1
        if not len(nearest):
            return self.angles, values
        extrema, reach = self.angles[nearest], float(self.angles[1])
        for _ in range(6):  # the vertex of a parabola, each time of a narrower one
            left, middle, right = (self._slant(extrema + side * reach) for side in (-1, 0, 1))
            bend = left - 2 * middle + right
            shift = 0.5 * np.divide(left - right, bend, out=np.zeros_like(bend), where=bend != 0)
            extrema, reach = extrema + np.clip(shift, -1, 1) * reach, reach / 4
        angles = np.concatenate([self.angles, extrema])
        order = np.argsort(angles, kind="stable")
        return angles[order], np.concatenate([values, self._slant(extrema)])[order]

    def _slant(self, α: Reals) -> Reals:
        """Returns a multiple, above 0, of Im f / sin α at the angles [I]; its limit at α = 0 and π."""
        w = self.ρ * np.exp(1j * α)
        A, B = self.characteristic.still, self.characteristic.driven
        if α is self.angles:
            A_w, B_w = self.A, self.B
        else:
            A_w, B_w = A.at(w), B.at(w)
        end = np.sin(α) < ON_AXIS
        values = -(A_w * B_w.conj()).imag / np.where(end, 1.0, np.sin(α))
        if end.any():
            x = w[end].real + 0j
            (a, a_slope), (b, b_slope) = A.with_slope_at(x), B.with_slope_at(x)
            values[end] = -self.ρ * (a_slope * b - a * b_slope).real
        return values

    def steps_without_zeros(self, below: float) -> Reals:
        """Returns the intervals [intervals, 2] of aη below a bound where A + aη B has no zero in |w| < ρ, ascending."""
        _, steps, entering = self.crossings(below)
        free = np.flatnonzero(np.cumsum(entering) + self.inside(0.0) == 0)
        return np.stack([steps[free], np.append(steps, below)[free + 1]], axis=1)


def _on_half_circle(p: LagPolynomial, ρ: float, size: int) -> Complexes:
    coefficients = p.coefficients * np.exp(p.lags * math.log(ρ))
    dense = LagPolynomial(p.lags, coefficients).dense(int(p.degree) + 1)
    return np.fft.rfft(dense, size).conj()
