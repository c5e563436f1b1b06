"""Remedies against delay, as what they make of a gradient that comes d steps late: w^d in the lag w = 1/z.

    weight prediction        w^d (1 + T (1 - w))       the gradient is that of x + T (x - x_previous), T steps ahead
    curvature compensation   c + (1-c) w^d             the share c of H (x[t] - x[t-d]) is added to the late gradient

Weight prediction: SpecTrain (arXiv 1809.02839), XPipe (arXiv 1911.04610). Curvature compensation: DC-ASGD (arXiv
1609.08326), which has g gᵀ in the Hessian's place. Both together compensate what the prediction has left.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np

from tautune.trainables.theory.delays import Delays
from tautune.trainables.theory.lag_polynomial import LagPolynomial, Reals


@dataclass(frozen=True)
class Prediction:
    """The gradient is computed at weights that are extrapolated T steps ahead along the last step."""

    horizon: float | None = None
    """T in steps; each gradient's own delay if not given."""

    def __post_init__(self) -> None:
        T = self.horizon
        if T is not None and (not isinstance(T, Real) or not 0 <= T < math.inf):
            raise ValueError(f"the horizon of a prediction must be at least 0 steps and finite, not {T!r}")

    def __str__(self) -> str:
        """Returns the remedy as the command line has it."""
        return "predict" if self.horizon is None else f"predict:{self.horizon:g}"


@dataclass(frozen=True)
class Compensation:
    """A share c of what the curvature says the gradient has changed by since it was computed is added to it."""

    share: float = 1.0
    """c in [0, 1]."""

    def __post_init__(self) -> None:
        if not isinstance(self.share, Real) or not 0 <= self.share <= 1:
            raise ValueError(f"the share of the curvature that is compensated must be from 0 to 1, not {self.share!r}")

    def __str__(self) -> str:
        """Returns the remedy as the command line has it."""
        return f"compensate:{self.share:g}"


Remedy = Prediction | Compensation


@dataclass(frozen=True, eq=False)
class LateGradients:
    """What becomes of the gradients: c + (1-c) [(1 + T_d) w^d - T_d w^(d+1)] with the share p_d, for each delay d."""

    delays: Delays
    horizons: Reals
    """T_d [delays], in steps."""
    compensated: float
    """c."""

    def mean(self, stretch: float = 1.0) -> LagPolynomial:
        """Returns D, the mean over the delays, each of them `stretch` times as long."""
        d = stretch * np.array(self.delays.steps, dtype=float)
        late = (1 - self.compensated) * np.array(self.delays.shares)
        lags = np.concatenate([[0.0], d, d + 1])
        return LagPolynomial.summed(
            lags, np.concatenate([[self.compensated], late * (1 + self.horizons), -late * self.horizons])
        )


def late_gradients(delays: Delays, remedies: Sequence[Remedy]) -> LateGradients:
    """Returns what becomes of gradients with these delays under these remedies, at most one of each kind.

    Raises:
        ValueError: there are two remedies of one kind.
    """
    for kind, name in ((Prediction, "prediction"), (Compensation, "compensation")):
        if sum(isinstance(remedy, kind) for remedy in remedies) > 1:
            raise ValueError(f"a loop has at most one {name}")
    horizons, compensated = np.zeros(len(delays.steps)), 0.0
    for remedy in remedies:
        if isinstance(remedy, Compensation):
            compensated = float(remedy.share)
        else:
            own = np.array(delays.steps, dtype=float)
            horizons = own if remedy.horizon is None else np.full(len(own), float(remedy.horizon))
    return LateGradients(delays, horizons, compensated)


def parse_remedy(text: str) -> Remedy:
    """Returns the remedy that predict:T or compensate:C spells; `predict` alone is each gradient's own delay.

    Raises:
        ValueError: it spells none.
    """
    kind, colon, number = text.partition(":")
    try:
        if kind == "predict":
            return Prediction(float(number) if colon else None)
        if kind == "compensate" and colon:
            return Compensation(float(number))
    except ValueError as error:
        if "could not convert" not in str(error):
            raise
    raise ValueError(f"a remedy must be predict:T in steps or compensate:C with a share C from 0 to 1, not {text!r}")
