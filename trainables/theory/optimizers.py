"""Optimizers as linear filters: what of the gradients' history an update is made of.

Near a minimum an update is x[t+1] - x[t] = -η F(w) g[t] with the filter F in the lag w = 1/z:

    SGD          (1-d) / (1 - m w), plus 1 for Nesterov's       torch.optim.SGD(momentum=m, dampening=d, nesterov=…)
    Adam         (1-β₁) / (1 - β₁ w)                            Adam, AdamW: on the preconditioned curvature
    NAdam        (1-β₁) (1 + β₁ / (1 - β₁ w))                   as Adam's, once its momentum has risen to β₁
    RMSProp      1 / (1 - m w)                                  on the preconditioned curvature
    shifted      (1-m) / (1 - m w^(τ+1))                        Giladi et al., ICLR 2020 (arXiv 1909.12340)
    spike comp.  (1-m) (m^D / (1 - m w) + (1 - m^D) / (1-m))    Kosson et al., MLSys 2021 (arXiv 2003.11666)

The preconditioned curvature is the largest eigenvalue of P^(-1/2) H P^(-1/2), where P = (1 - β₁^t) √v̂ + ε is held: it
changes slowly while β₂ is near 1 (Cohen et al., arXiv 2207.14484). Decoupled weight decay is left out.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tautune.trainables.theory.delays import Delays
from tautune.trainables.theory.lag_polynomial import ONE, LagPolynomial
from tautune.trainables.theory.momentum import check_momentum


@dataclass(frozen=True, eq=False)
class Filter:
    """F = numerator / denominator in the lag w; the denominator is 1 at w = 0, and has no zero in |w| ≤ 1."""

    numerator: LagPolynomial
    denominator: LagPolynomial = ONE

    @property
    def gain_at_rest(self) -> float:
        """F(1): the update for each unit of a gradient that does not change."""
        return self.numerator.at_rest / self.denominator.at_rest


class LinearOptimizer(Protocol):
    """An optimizer whose update is linear in the gradients' history."""

    def filter(self, delays: Delays) -> Filter:
        """Returns F, which for some optimizers depends on how late the gradients are."""
        ...


@dataclass(frozen=True)
class SGD:
    """torch.optim.SGD. Its momentum is dampened by 1-d; d = 0, the default, is torch's, and d = m is the paper's."""

    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        check_momentum(self.momentum)
        if not 0 <= self.dampening < 1:
            raise ValueError(f"dampening must be at least 0 and below 1, not {self.dampening!r}")
        if self.nesterov and (not self.momentum or self.dampening):
            raise ValueError("nesterov needs a momentum above 0 and no dampening, as in torch")

    def filter(self, delays: Delays) -> Filter:
        """Returns F."""
        m = self.momentum
        if self.nesterov:
            return Filter(LagPolynomial.of(1 + m, -m), _decay(m))
        return Filter(LagPolynomial.of(1 - self.dampening if m else 1.0), _decay(m))


@dataclass(frozen=True)
class Adam:
    """Adam and AdamW on the preconditioned curvature: their first moment is dampened momentum."""

    beta1: float = 0.9

    def __post_init__(self) -> None:
        check_momentum(self.beta1)

    def filter(self, delays: Delays) -> Filter:
        """Returns F."""
        return Filter(LagPolynomial.of(1 - self.beta1), _decay(self.beta1))


@dataclass(frozen=True)
class NAdam:
    """NAdam on the preconditioned curvature: Nesterov's momentum, dampened.

    torch lets its momentum rise from β₁/2 to β₁, half of the way in 4,250 steps; here it has arrived.
    """

    beta1: float = 0.9

    def __post_init__(self) -> None:
        check_momentum(self.beta1)

    def filter(self, delays: Delays) -> Filter:
        """Returns F."""
        β = self.beta1
        return Filter(LagPolynomial.of((1 - β) * (1 + β), -(1 - β) * β), _decay(β))


@dataclass(frozen=True)
class RMSProp:
    """RMSProp on the preconditioned curvature, with torch's undampened momentum, 0 by default."""

    momentum: float = 0.0

    def __post_init__(self) -> None:
        check_momentum(self.momentum)

    def filter(self, delays: Delays) -> Filter:
        """Returns F."""
        return Filter(ONE, _decay(self.momentum))


@dataclass(frozen=True)
class ShiftedMomentum:
    """Dampened momentum whose velocity is as late as the gradients: v[t+1] = m v[t-τ] - η (1-m) g[t]."""

    momentum: float = 0.9
    shift: int | None = None
    """By how many steps the velocity is late; as the gradients are, if not given."""

    def __post_init__(self) -> None:
        check_momentum(self.momentum)

    def filter(self, delays: Delays) -> Filter:
        """Returns F. Raises ValueError if there are several delays, and no shift of its own."""
        if self.shift is None and not delays.is_fixed:
            raise ValueError("shifted momentum delays the velocity by one fixed delay; it cannot have delays that vary")
        m, shift = self.momentum, delays.maximum if self.shift is None else self.shift
        return Filter(LagPolynomial.of(1 - m), LagPolynomial.from_terms([(0, 1.0), (shift + 1, -m)]))


@dataclass(frozen=True)
class SpikeCompensation:
    """Dampened momentum that makes at once the updates which a gradient would have made while it was late.

    Source: Kosson et al., "Pipelined Backpropagation at Scale", MLSys 2021 (arXiv 2003.11666).
    """

    momentum: float = 0.9
    horizon: float | None = None
    """D in steps; the mean delay if not given."""
    dampened: bool = True
    """Whether η is multiplied by 1-m, as here in the table; tautune.SpikeCompensatedSGD has it undampened."""

    def __post_init__(self) -> None:
        check_momentum(self.momentum)
        if self.horizon is not None and not 0 <= self.horizon < math.inf:
            raise ValueError(f"horizon must be at least 0 and finite, not {self.horizon!r}")

    def filter(self, delays: Delays) -> Filter:
        """Returns F."""
        m = self.momentum
        made = -math.expm1((delays.mean if self.horizon is None else self.horizon) * math.log(m)) if m else 1.0
        gain = 1.0 if self.dampened else 1 / (1 - m)
        return Filter(LagPolynomial.of(gain * (1 - m + m * made), -gain * m * made), _decay(m))  # `made` is 1 - m^D


@dataclass(frozen=True)
class OwnFilter:
    """A linear optimizer of the user's own, as two polynomials in z, the highest power first.

        OwnFilter((1.9, -0.9), (1, -0.9))    Nesterov's momentum 0.9: (1.9 z - 0.9) / (z - 0.9)

    Raises:
        ValueError: the filter needs gradients of the future, is unstable, or has no gain above 0 at rest.
    """

    numerator: tuple[float, ...]
    denominator: tuple[float, ...]

    def __post_init__(self) -> None:
        above, below = (np.trim_zeros(np.asarray(p, dtype=float), "f") for p in (self.numerator, self.denominator))
        if not (np.isfinite(above).all() and np.isfinite(below).all()):
            raise ValueError("the coefficients of an optimizer's filter must be finite")
        if not len(above) or not len(below):
            raise ValueError("an optimizer's filter needs a numerator and a denominator other than 0")
        if len(above) > len(below):
            raise ValueError(
                "the numerator's degree must be at most the denominator's, or the filter needs gradients of the future"
            )
        radius = float(np.abs(np.roots(below)).max(initial=0.0))
        if radius >= 1:
            raise ValueError(
                f"the filter is unstable: its denominator has a root of modulus {radius:.6g}; all must be below 1"
            )
        object.__setattr__(self, "numerator", tuple((above / below[0]).tolist()))
        object.__setattr__(self, "denominator", tuple((below / below[0]).tolist()))
        gain = math.fsum(self.numerator) / math.fsum(self.denominator)
        if gain <= 0:
            raise ValueError(f"the filter's gain at rest must be above 0, or it does not descend; it is {gain:.6g}")

    def filter(self, delays: Delays) -> Filter:
        """Returns F in the lag w = 1/z."""
        late = len(self.denominator) - len(self.numerator)
        return Filter(LagPolynomial.of(*self.numerator).later(late), LagPolynomial.of(*self.denominator))


def _decay(m: float) -> LagPolynomial:
    return LagPolynomial.of(1.0, -m) if m else ONE
