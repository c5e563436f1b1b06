"""The loops once more, slow and obvious: rational functions in z, dense, with every root from a companion matrix.

The formulas are those of the tables in `docs/theory.md`, written in z where the calculator works in the lag 1/z.
"""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Polynomial = NDArray[Any]  # coefficients, the highest power first
Rational = tuple[Polynomial, Polynomial]

OPTIMIZERS = {
    "plain": ("sgd", 0.0),
    "torch's momentum": ("sgd", 0.9),
    "dampened": ("dampened-momentum", 0.5),
    "nesterov": ("nesterov", 0.9),
    "nadam": ("nadam", 0.8),
    "adamw": ("adamw", 0.9),
    "rmsprop": ("rmsprop", 0.0),
    "shifted": ("shifted-momentum", 0.9),
    "spike compensation": ("spike-compensation", 0.9),
}
DELAYS: dict[str, Any] = {
    "0": 0,
    "1": 1,
    "2": 2,
    "7": 7,
    "64": 64,
    "drawn": {0: 0.5, 4: 0.3, 9: 0.2},
    "uniform": {d: 1 / 9 for d in range(9)},
    "late": {3: 0.25, 17: 0.75},
}
REMEDIES = ((), ("predict",), ("predict:3",), ("compensate:0.3",), ("predict:2", "compensate:0.6"))
CASES = [
    (optimizer, delay, remedies)
    for optimizer, delay, remedies in product(OPTIMIZERS, DELAYS, REMEDIES)
    if optimizer != "shifted" or isinstance(DELAYS[delay], int)
]


def power(n: int) -> Polynomial:
    return np.array([1.0] + [0.0] * n)


def added(a: Rational, b: Rational) -> Rational:
    return np.polyadd(np.polymul(a[0], b[1]), np.polymul(b[0], a[1])), np.polymul(a[1], b[1])


def shares_of(delay: Any) -> dict[int, float]:
    return {delay: 1.0} if isinstance(delay, int) else delay


def optimizer_filter(name: str, m: float, delay: Any) -> Rational:
    z, below = np.array([1.0, 0.0]), np.array([1.0, -m])
    if name in ("sgd", "rmsprop"):
        return z, below
    if name in ("dampened-momentum", "adamw"):
        return (1 - m) * z, below
    if name in ("nesterov", "nadam"):
        above, below = added((np.array([1.0]), np.array([1.0])), (m * z, below))
        return (above if name == "nesterov" else (1 - m) * above), below
    if name == "shifted-momentum":  # (1-m) z / (z - m z^-τ)
        below = np.polysub(power(delay + 1), np.array([m]))
        return (1 - m) * power(delay + 1), below
    D = sum(d * p for d, p in shares_of(delay).items())
    return added(((1 - m) * m**D * z, below), (np.array([1 - m**D]), np.array([1.0])))


def late_gradient(delay: Any, remedies: Sequence[str]) -> Rational:
    shares = shares_of(delay)
    longest = max(shares) + 1
    total = np.zeros(longest + 1)  # of z^longest D
    share = next((float(r.split(":")[1]) for r in remedies if r.startswith("compensate")), 0.0)
    predicted = next((r for r in remedies if r.startswith("predict")), None)
    for d, p in shares.items():
        T = 0.0 if predicted is None else float(predicted.split(":")[1]) if ":" in predicted else d
        total[d] += (1 - share) * p * (1 + T)
        total[d + 1] -= (1 - share) * p * T
    total[0] += share
    return total, power(longest)


def characteristic(optimizer: str, delay: str, remedies: Sequence[str]) -> Rational:
    """Returns the polynomials a and b of a + aη b, whose roots are the loop's: a = (z-1) Q, b = N D."""
    above, below = optimizer_filter(*OPTIMIZERS[optimizer], DELAYS[delay])
    late, longest = late_gradient(DELAYS[delay], remedies)
    return np.polymul(np.polymul(np.array([1.0, -1.0]), below), longest), np.polymul(above, late)


def radius(a: Polynomial, b: Polynomial, step: float) -> float:
    """Returns the largest modulus of a root, each polished by two steps of Newton's method."""
    p = np.polyadd(a, step * b)
    roots = np.roots(p)
    roots = roots[np.abs(roots) > 0.5 * np.abs(roots).max()]
    slope = np.polyder(p)
    for _ in range(2):
        with np.errstate(all="ignore"):
            nearer = roots - np.polyval(p, roots) / np.polyval(slope, roots)
        roots = np.where(np.isfinite(nearer) & (np.abs(nearer - roots) < 1e-6), nearer, roots)
    return float(np.abs(roots).max())
