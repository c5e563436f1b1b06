"""The curvature of the loss where training stands, as its optimizer sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tautune.trainables.curvature.batch_loss import AnyLoss, BatchLoss
from tautune.trainables.curvature.checks import check_loss, check_weights, evaluating, trained
from tautune.trainables.curvature.lanczos import Eigenpairs, largest_eigenpairs, random_start, reachable, vector_type
from tautune.trainables.curvature.lateness import Late, lateness, parameters_of, shares_of, stages_of, unwrapped
from tautune.trainables.curvature.preconditioner import Preconditioner, filter_now, preconditioner
from tautune.trainables.theory.second_derivatives import second_derivatives

TOLERANCE = 1e-3
"""Largest residual relative to λ: λ is then known to a thousandth, and mostly far better."""
MOST_PRODUCTS = 300
LARGEST_RESIDUAL = 0.5
"""Residual relative to λ after that many products from which on λ says nothing."""


@dataclass(frozen=True, kw_only=True)
class Curvature:
    """The sharpest direction of S^(1/2) (H + W) S^(1/2); S and W, the optimizer's, are in `preconditioner.py`."""

    sharpness: float
    """λ, above 0; of the loss itself where there is no optimizer that divides."""
    direction: Tensor
    """The unit eigenvector [P], on the model's device."""
    residual: float
    """‖A u - λ u‖ / λ."""
    products: int
    """Hessian-vector products over all batches."""
    loss: float
    examples: int
    noise: float | None
    """r, the variance of uᵀ A_b u between batches over its mean's square; None of a single batch."""
    batch_curvatures: tuple[float, ...]
    """uᵀ A_b u of each batch, in their order, whose mean over the examples is λ."""
    preconditioned: bool
    """Whether the optimizer divides by a state of its own."""
    learning_rate: float | None
    """η of the first parameter group; None without an optimizer."""
    late: Late | None
    """The optimizer, and what is around it."""
    group_shares: tuple[float, ...]
    """Share of the direction in each parameter group of the optimizer."""
    stage_shares: tuple[float, ...]
    """Share of the direction in each stage that was asked for."""

    @property
    def filter(self) -> Any:
        """Returns what stands for the optimizer in a `TrainingLoop`."""
        return "sgd" if self.late is None else filter_now(self.late.optimizer)


@torch.inference_mode(mode=False)  # trainers validate in it
def curvature_of(
    model: nn.Module,
    loss: AnyLoss,
    batches: Any,
    *,
    optimizer: Any = None,
    stages: Sequence[int] = (),
    l2: float = 0.0,
    tolerance: float = TOLERANCE,
) -> Curvature:
    """Returns the curvature at the model's weights, without dropout; all that is the user's stays as it is.

    Args:
        model, loss, batches: see `BatchLoss`.
        optimizer: of torch, with or without a queue around it; None for the loss itself.
        stages: a pipeline's delays, whose shares of the direction are wanted.
        l2: penalty of a study on its weights, beside the optimizer's own decay.
        tolerance: largest residual relative to λ; larger for weights in half precision, as far as it can be reached.

    Raises:
        ValueError: one of them cannot be used; the message says why. There is no positive curvature.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model must be a torch Module, not {model!r}")
    model, late = unwrapped(model), None if optimizer is None else lateness(optimizer)
    parameters = parameters_of(model) if late is None else trained(model, late.optimizer.param_groups)
    check_weights(model)
    how = Preconditioner(0.0, None, None) if late is None else preconditioner(late.optimizer, parameters)
    sets = stages_of(model, stages) if stages else []
    with evaluating(model):
        f = BatchLoss(model, loss, batches, parameters)
        found = _sharpest(f, how.with_penalty(l2, parameters), tolerance)
        λ, u = float(found.values[0]), found.vectors[0]
        each, sizes = f.curvatures(u if how.scale is None else how.scale * u)
    apart = np.array(each) - np.average(each, weights=sizes)  # decay, which is the same in each batch, is not in it
    groups = [group["params"] for group in late.optimizer.param_groups] if late else []
    assert f.value is not None
    return Curvature(
        sharpness=λ,
        direction=u,
        residual=float(found.residuals[0]),
        products=found.products,
        loss=f.value,
        examples=f.examples,
        noise=float(np.average(apart**2, weights=sizes)) / λ**2 if len(sizes) > 1 else None,
        batch_curvatures=tuple((λ + apart).tolist()),
        preconditioned=how.divides,
        learning_rate=how.learning_rate if late else None,
        late=late,
        group_shares=tuple(shares_of(u, parameters, groups)) if groups else (),
        stage_shares=tuple(shares_of(u, parameters, sets)) if sets else (),
    )


def _sharpest(f: BatchLoss, how: Preconditioner, tolerance: float) -> Eigenpairs:
    """Returns the largest eigenvalue.

    Raises:
        ValueError: the loss cannot be used, or the eigenvalue is not found, or not above 0.
    """
    check_loss(f)
    multiply = how.around(f.hessian_vector_product)
    P = sum(p.numel() for p in f.parameters)
    like = torch.empty(0, device=f.device, dtype=vector_type(f.parameters))
    with second_derivatives():
        found = largest_eigenpairs(
            lambda V: multiply(V[0]).unsqueeze(0),
            random_start(1, P, like),
            tolerance=reachable(tolerance, f.parameters),
            most_products=MOST_PRODUCTS,
        )
    λ, residual = float(found.values[0]), float(found.residuals[0])
    if not residual <= LARGEST_RESIDUAL:
        raise ValueError(
            f"the sharpness was not found: after {found.products} Hessian-vector products {λ:.3g} has a residual of "
            f"{residual:.3g} times itself, so that the products are too inexact; try the model in double precision"
        )
    if not λ > 0:
        raise ValueError(f"the loss has no positive curvature here (at most {λ:.3g}): no learning rate is unstable")
    return found
