"""A minimum of the loss, and a hash of everything it depends on, which serves as its name."""

import hashlib
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from tautune.trainables.theory.problem import Problem

CACHE_FORMAT = "2"
"""Version of the cache's format. It is part of every name, so that minima of another format are not found."""
ROUNDING = {torch.float32: 1e-3}
"""Smallest reliable gradient norm, relative to its start, by precision; float64 reaches any tolerance."""


@dataclass(frozen=True, kw_only=True)
class Minimum:
    """A point where the gradient vanishes, and the sharpness of the loss there."""

    point: Tensor
    """x* [P]."""
    direction: Tensor
    """Unit eigenvector [P] that belongs to λ: the sharpest direction."""
    sharpness: float
    """λ, the largest Hessian eigenvalue at x*."""
    loss: float
    gradient_norm: float
    """‖∇f(x*)‖ divided by `start_norm`."""
    start_norm: float
    """‖∇f‖ where training began."""
    gradient_evaluations: int
    """Number of full-batch gradients it took; a Hessian-vector product counts as two."""
    squares: Tensor | None = None
    """Mean squares [P] of mini-batches' gradients, where a preconditioner is held: λ and the direction are those of the
    preconditioned loss then."""

    def state_dict(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def to(self, device: torch.device | str) -> "Minimum":
        squares = None if self.squares is None else self.squares.to(device)
        return replace(self, point=self.point.to(device), direction=self.direction.to(device), squares=squares)

    def holds(self, problem: Problem) -> bool:
        """Returns whether `problem` still has this gradient norm and sharpness here; costs a gradient and a product."""
        _, gradient = problem.value_and_gradient(self.point)
        bent = problem.hessian_vector_product(self.point, self.direction) - self.sharpness * self.direction
        flat = float(gradient.norm()) <= max(2 * self.gradient_norm, 1e-9) * self.start_norm
        return flat and float(bent.norm()) <= max(1e-4, ROUNDING.get(self.point.dtype, 0.0)) * self.sharpness


def content_hash(problem: Problem, *, tolerance: float) -> str:
    """Returns a hash of everything a minimum depends on: data, start point, model, loss, penalty, tolerance.

    A hash of code would not tell what the code does. So the loss, its gradient and its curvature at a point near the
    start are hashed too, with six digits.
    """
    digest = hashlib.sha256(CACHE_FORMAT.encode())
    fixed = [*(p for p in problem.model.parameters() if not p.requires_grad), *problem.model.buffers()]
    for tensor in (problem.inputs, problem.targets, problem.point, *fixed):
        digest.update(repr((tensor.dtype, tuple(tensor.shape))).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    loss = getattr(problem.loss, "__qualname__", repr(problem.loss))
    digest.update(repr((problem.model, loss, problem.l2, tolerance)).encode())
    generator = torch.Generator().manual_seed(0)
    start = problem.point
    step = torch.randn(len(start), dtype=start.dtype, generator=generator).to(start)
    beside = start + 0.1 * step
    value, gradient = problem.value_and_gradient(beside)
    curvature = step @ problem.hessian_vector_product(beside, step)
    problem.move_to(start)
    digest.update(f"{value:.5e} {float(step @ gradient):.5e} {float(curvature):.5e}".encode())
    return digest.hexdigest()[:32]
