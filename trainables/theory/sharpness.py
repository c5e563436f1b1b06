"""Sharpness λ: the largest eigenvalue of the loss Hessian, from Hessian-vector products alone.

SciPy's `eigsh` (ARPACK) runs Lanczos with its own stopping rule; the dense Hessian [P, P] is never formed. The library
curvlinops passes its Hessian to the same `eigsh` and depends on five more packages, whereas the Hessian-vector product,
which the Newton step needs too, is only a few lines next to the gradient in `problem.py`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor

ROUNDING = {torch.float32: 1e-4}
"""Smallest residual relative to λ, by precision: rounding of the products keeps Lanczos from going below it."""


class Sharpness(NamedTuple):
    """An eigenvalue and its eigenvector, how accurate they are, and what they cost."""

    value: float
    """λ, in units of loss per squared parameter."""
    direction: Tensor
    """The unit eigenvector [P]; its sign is chosen so that its largest entry is positive."""
    relative_residual: float
    """‖Hv - λv‖ / λ, a bound on the relative error of λ."""
    products: int
    """Number of Hessian-vector products used."""


def largest_eigenvalue(
    hessian_vector_product: Callable[[Tensor], Tensor], like: Tensor, *, tolerance: float = 1e-8, seed: int = 0
) -> Sharpness:
    """Returns the largest Hessian eigenvalue (not the largest in modulus) with its eigenvector.

    Args:
        hessian_vector_product: v [P] ↦ Hv [P].
        like: a vector [P] with the device, dtype and length of the products.
        tolerance: relative accuracy wanted for λ; raised to 1e-4 where the products are in single precision.
        seed: seed of the Lanczos start vector, so that a run can be repeated to the last digit.

    Raises:
        RuntimeError: Lanczos did not reach the tolerance.
    """
    tolerance = max(tolerance, ROUNDING.get(like.dtype, 0.0))
    products = 0

    def multiply(v: NDArray[np.float64]) -> NDArray[np.float64]:
        nonlocal products
        products += 1
        product = hessian_vector_product(torch.as_tensor(v.ravel()).to(like))
        return product.double().cpu().numpy()

    size = len(like)
    if size < 3:  # too small for Lanczos
        dense = np.stack([multiply(column) for column in np.eye(size)])
        values, vectors = np.linalg.eigh(dense)
    else:
        operator = LinearOperator((size, size), matvec=multiply, dtype=np.float64)
        start = np.random.default_rng(seed).standard_normal(size)
        values, vectors = eigsh(operator, k=1, which="LA", tol=tolerance, v0=start, ncv=min(size, 20))
    λ, v = float(values[-1]), vectors[:, -1]
    v = v * np.sign(v[np.abs(v).argmax()])
    residual = float(np.linalg.norm(multiply(v) - λ * v) / abs(λ))
    return Sharpness(λ, torch.as_tensor(v).to(like), residual, products)
