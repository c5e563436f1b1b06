"""The largest eigenvalues of several symmetric operators at once, on their own device, from warm starts.

`theory/sharpness.py` leaves this to ARPACK, which works in double precision on the host, with twenty vectors of the
network's size, and asks for that many products before it looks at the first answer. What is followed through a training
needs less: here Lanczos is Rayleigh and Ritz's method on a basis that is kept, so that it begins with the eigenvectors
of last time, and ends as soon as the residual is small.

Shapes: K operators, P parameters, m basis vectors. A basis V and its products W = A V are [K, m, P].
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

BASIS = 12
"""Vectors of a basis: two copies of the parameters each, so 24 in all."""
ROUNDED = 4
"""Residual that a search can reach, in units of the relative precision in which the products are computed."""
KEPT = 4
"""Ritz vectors that are kept when the basis is full: with one alone, nearby eigenvalues would converge slowly."""


class Eigenpairs(NamedTuple):
    """The largest eigenvalue of each operator, with what a later search begins with."""

    values: Tensor
    """λ [K]."""
    vectors: Tensor
    """Unit eigenvectors u [K, P]."""
    residuals: Tensor
    """‖A u - λ u‖ / |λ| [K]: λ is at most that far, relatively, from an eigenvalue (not always the largest)."""
    start: Tensor
    """The two largest Ritz vectors [K, 2, P]: where another eigenvalue becomes the largest one, the second is it."""
    products: int
    """Products A v that it took, each with all K operators at once."""


def largest_eigenpairs(
    multiply: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    tolerance: float,
    most_products: int,
    basis: int = BASIS,
    unseen: int = 0,
    seed: int = 0,
) -> Eigenpairs:
    """Returns the largest eigenvalue of each operator (not the largest in modulus).

    Args:
        multiply: [K, P] ↦ A v for each operator.
        start: [K, m, P], one vector or more to begin with.
        tolerance: largest residual, relative to λ. The error of λ is of the order of its square.
        most_products: where the search ends also if the tolerance is not reached.
        basis: vectors at most.
        unseen: products with a random vector, and with its images, that are made besides. An eigenvector to which all
            of `start` is orthogonal is not in any residual: it would go on being missed however large it becomes.
        seed: of that vector.
    """
    K, given, P = start.shape
    basis = min(basis, P)
    V, W = start.new_empty(K, basis, P), start.new_empty(K, basis, P)
    m = 0
    for vector in start[:, : min(given, basis)].unbind(1):
        m = _add(V, W, m, vector, multiply)
    for place in range(min(unseen, basis - m)):
        vector = W[:, m - 1] if place else random_start(K, P, V, seed=seed)[:, 0]
        m = _add(V, W, m, vector, multiply)
    products = m
    while True:
        θ, Y = torch.linalg.eigh(_symmetric(V[:, :m] @ W[:, :m].mT))
        u, Au = (torch.einsum("km,kmp->kp", Y[:, :, -1].to(V), X[:, :m]) for X in (V, W))
        λ = θ[:, -1].to(V)
        residual = Au - λ[:, None] * u
        relative = residual.norm(dim=1) / λ.abs().clamp_min(torch.finfo(V.dtype).tiny)
        if bool((relative <= tolerance).all()) or products >= most_products or m == P:
            first = torch.einsum("kmr,kmp->krp", Y[:, :, -2:].to(V), V[:, :m])
            return Eigenpairs(λ, u, relative, first, products)
        if m == basis:
            m = min(KEPT, basis - 1)
            best = Y[:, :, -m:].to(V)
            V[:, :m], W[:, :m] = (torch.einsum("kmr,kmp->krp", best, X) for X in (V, W))
        m = _add(V, W, m, residual, multiply)
        products += 1


def random_start(K: int, P: int, like: Tensor, *, seed: int = 0) -> Tensor:
    """Returns start vectors [K, 1, P] of like's device and type, the same ones for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(K, 1, P, generator=generator).to(like)


def vector_type(parameters: Sequence[Tensor]) -> torch.dtype:
    """Returns the type that vectors of a network's size need: a basis in half precision is not orthogonal for long."""
    return reduce(torch.promote_types, (p.dtype for p in parameters), torch.float32)


def reachable(tolerance: float, parameters: Sequence[Tensor]) -> float:
    """Returns the tolerance, or the smallest residual that products in the parameters' own precision allow."""
    return max(tolerance, *(ROUNDED * torch.finfo(p.dtype).eps for p in parameters))


def _add(V: Tensor, W: Tensor, m: int, vector: Tensor, multiply: Callable[[Tensor], Tensor]) -> int:
    """Adds what is new in `vector` [K, P] to the basis, with its product; returns the number of vectors."""
    for _ in range(2):  # once more for what rounding has left
        vector = vector - torch.einsum("km,kmp->kp", torch.einsum("kmp,kp->km", V[:, :m], vector), V[:, :m])
        vector = vector / vector.norm(dim=1, keepdim=True).clamp_min(torch.finfo(V.dtype).tiny)
    V[:, m] = vector
    W[:, m] = multiply(vector)
    return m + 1


def _symmetric(T: Tensor) -> Tensor:
    """Returns T [K, m, m] in double precision, without the asymmetry that rounding brings."""
    T = T.double()
    return (T + T.mT) / 2
