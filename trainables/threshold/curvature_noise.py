"""How much the curvature along the sharpest direction varies from one mini-batch to another."""

from torch import Tensor

from tautune.trainables.theory.problem import Problem, flatten
from tautune.trainables.threshold.minimum import Minimum

REACH = 1e-4
"""Distance relative to ‖x*‖, or to 1 for a smaller one, at which gradients are compared: their difference is then the
curvature to six figures or more."""


def curvature_noise(problem: Problem, minimum: Minimum, mini_batch: int | None, seed: int = 0) -> float:
    """Returns r, the variance of uᵀ H_B u over its mean's square, over the mini-batches B of an epoch; 0 without any.

    u is the sharpest direction. The problem is left at its minimum; the cost is two gradients of the whole data set.
    """
    if mini_batch is None:
        return 0.0
    ε = REACH * max(1.0, float(minimum.point.norm()))
    u = minimum.direction
    order = problem.batches(mini_batch, seed)
    batches = [next(order) for _ in range(len(problem) // mini_batch)]
    slopes = []
    for sign in (1, -1):
        problem.move_to(minimum.point + sign * ε * u)
        slopes.append([float(_gradient(problem, batch) @ u) for batch in batches])
    curvatures = [(ahead - behind) / (2 * ε) for ahead, behind in zip(*slopes, strict=True)]
    problem.move_to(minimum.point)
    mean = sum(curvatures) / len(curvatures)
    variance = sum((a - mean) ** 2 for a in curvatures) / len(curvatures)
    return variance / mean**2 if mean else 0.0


def _gradient(problem: Problem, batch: Tensor | None) -> Tensor:
    for parameter in problem.parameters:
        parameter.grad = None
    problem.backward(batch)
    return flatten(p.new_zeros(p.shape) if p.grad is None else p.grad for p in problem.parameters)
