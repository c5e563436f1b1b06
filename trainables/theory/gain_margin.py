"""The gain margin of a loop: the smallest aη > 0 with a root on the unit circle, and the angle of that root.

The scan over θ in (0, π] is complete. It bounds V and |L| on whole intervals (`bounds.py`) and drops an interval only
if Re V has no zero there, or Im V is positive, or every 1/|L| is above a crossing that is known. Where Re V is
monotone, an interval has one crossing or none, and a crossing is polished to the last digits. Every other interval is
divided. So neither a late crossing nor one that only touches the real axis is missed, as a grid would miss it. θ = π,
where Re V is zero for every loop with whole delays, is looked at on its own.
"""

import math
from typing import NamedTuple

import numpy as np

from tautune.trainables.theory.bounds import Bounds
from tautune.trainables.theory.lag_polynomial import Reals
from tautune.trainables.theory.open_loop import OpenLoop
from tautune.trainables.theory.zeros import zeros

FIRST_INTERVALS = 32
SAMPLES = 48
"""Angles at which a first crossing is looked for, to begin with: it decides how much has to be scanned, and no more."""
PARTS = 4
TOGETHER = 64
"""Crossings that are polished at once, those first that may be the best."""
MOST_INTERVALS = 100_000
"""Open intervals above which each is taken to hold one crossing or none: momentum within 1e-9 of 1 comes near it."""
FINEST = 1e-11
"""Half-width of an interval, in radians over the loop's degree, at which what is still open only touches the axis."""
ROUNDING = 1e-12
"""Size of Re V relative to |V| that is zero."""


class Crossing(NamedTuple):
    """Where a root crosses the unit circle."""

    step: float
    """aη."""
    angle: float
    """θ, in radians per step."""


NEVER = Crossing(math.inf, math.nan)


def gain_margin(loop: OpenLoop) -> Crossing:
    """Returns the crossing of smallest aη > 0; `NEVER` if the loop is stable at every step."""
    best = min(_at_half_turn(loop), _first_guess(loop))
    r = math.pi / (2 * FIRST_INTERVALS)
    θ = r * (2 * np.arange(FIRST_INTERVALS) + 1)
    while len(θ):
        bounds = Bounds(loop, θ, r)
        open_ = bounds.may_cross(best.step)
        θ, bounds = θ[open_], bounds.of(open_)
        open_, single = bounds.by_slope()
        if r < FINEST / loop.degree:
            return min(best, _best_at(loop, θ[open_]))  # V touches the axis there
        if open_.sum() > MOST_INTERVALS:
            single = open_
        best = _polished(loop, θ[single], r, bounds.least_step[single], best)
        left = θ[open_ & ~single & (bounds.least_step < best.step)]
        r /= PARTS
        θ = np.add.outer(left, r * np.arange(1 - PARTS, PARTS, 2)).ravel()
    return best


def _at_half_turn(loop: OpenLoop) -> Crossing:
    half_turn = np.array([math.pi])
    V = loop.turned(half_turn)[0]
    real = abs(V.real) <= ROUNDING * abs(V)
    return Crossing(float(loop.steps(half_turn)[0]), math.pi) if real and V.imag < 0 else NEVER


def _first_guess(loop: OpenLoop) -> Crossing:
    """Returns the best of the crossings that a few angles show, spaced by their logarithm from below the first one."""
    θ = np.geomspace(0.1 / loop.degree, math.pi, SAMPLES)
    V = loop.turned(θ)
    before = np.concatenate([[1.0], V.real[:-1]])
    crossing = np.flatnonzero((before > 0) != (V.real > 0))
    if len(crossing) and crossing[-1] == SAMPLES - 1:
        crossing = crossing[:-1]  # at θ = π it is only rounding
    if not len(crossing):
        return NEVER
    place = crossing[loop.steps(θ[crossing]).argmin()]
    return _best_between(loop, np.array([θ[place - 1] if place else 0.0]), np.array([θ[place]]))


def _best_between(loop: OpenLoop, low: Reals, high: Reals) -> Crossing:
    """Returns the best of the crossings in the intervals [I], in each of which Re V changes its sign once."""
    θ = zeros(lambda angles: loop.turned(angles).real, low, high)
    return _best_at(loop, θ[loop.turned(θ).imag < 0])


def _best_at(loop: OpenLoop, θ: Reals) -> Crossing:
    return min(map(Crossing, loop.steps(θ).tolist(), θ.tolist()), default=NEVER)


def _polished(loop: OpenLoop, θ: Reals, r: float, least_step: Reals, best: Crossing) -> Crossing:
    """Returns the best crossing, after those within r of θ [I], where Re V is monotone."""
    if not len(θ):
        return best
    ends = loop.turned(np.concatenate([θ - r, θ + r]))
    real = np.where(np.abs(ends.real) <= ROUNDING * np.abs(ends), 0.0, ends.real)
    left, right = real[: len(θ)], real[len(θ) :]
    at_end = (right == 0) & ~np.isclose(θ + r, math.pi, rtol=1e-14)
    best = min(best, _best_at(loop, (θ + r)[at_end & (ends.imag[len(θ) :] < 0)]))
    crosses = np.flatnonzero(left * right < 0)
    crosses = crosses[np.argsort(least_step[crosses])]
    while len(crosses := crosses[least_step[crosses] < best.step]):
        some, crosses = crosses[:TOGETHER], crosses[TOGETHER:]
        best = min(best, _best_between(loop, θ[some] - r, θ[some] + r))
    return best
