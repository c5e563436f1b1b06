"""Linear least squares with a known Hessian: theory is exact here, so the study serves as an oracle."""

import torch
from torch import Tensor, nn

from tautune.search_spaces.stability_study import StabilityStudy

CURVATURES = (4.0, 2.0, 1.0, 0.5, 0.25)
"""Eigenvalues of the Hessian; the first one is the sharpness."""
EXAMPLES = 40


def data() -> tuple[Tensor, Tensor]:
    """Returns inputs X [N, P] with XᵀX/N = diag(CURVATURES) in rotated coordinates, and targets Xw [N, 1], w = 1."""
    generator = torch.Generator().manual_seed(0)
    curvatures = torch.tensor(CURVATURES, dtype=torch.float64)
    orthonormal = _orthonormal(EXAMPLES, len(curvatures), generator)
    rotation = _orthonormal(len(curvatures), len(curvatures), generator)
    inputs = orthonormal * (EXAMPLES * curvatures).sqrt() @ rotation.T
    return inputs, inputs.sum(dim=1, keepdim=True)


def _orthonormal(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    q: Tensor = torch.linalg.qr(torch.randn(rows, columns, dtype=torch.float64, generator=generator)).Q
    return q


def model() -> nn.Module:
    return nn.Linear(len(CURVATURES), 1, bias=False)


def loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return 0.5 * (outputs - targets).square().mean()


STUDY = StabilityStudy(
    name="quadratic",
    description="linear least squares of known curvature: the closed-form oracle",
    data=data,
    model=model,
    loss=loss,
)
