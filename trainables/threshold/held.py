"""Adam, RMSProp and NAdam at a minimum, with their preconditioner held.

They divide by √v̂ + ε, where v̂ averages squared gradients. At a minimum the full batch's gradient vanishes, and v̂ with
it; those of mini-batches do not, and a training has theirs. So v is recorded from mini-batches at the minimum and held
there: β₂ is one but for 1e-15. What is left is linear, and its curvature is that of P^(-1/2) H P^(-1/2), P = √v + ε.

ε is a tenth of the mean of √v, so that weights which the data leave alone, and which have next to no gradients, do not
rule: of a pixel that is always empty, say.
"""

from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor
from torch.optim import Optimizer

from tautune.trainables.theory.problem import Problem, flatten
from tautune.trainables.theory.sharpness import largest_eigenvalue
from tautune.trainables.threshold.descent import MinimumNotReached
from tautune.trainables.threshold.minimum import Minimum

MINI_BATCH, BATCHES = 32, 200
"""Examples of a mini-batch, or half of all where there are no more, and the mini-batches that are averaged over."""
SHARE = 0.1
"""ε over the mean of √v."""
VANISHED = 1e-6
"""Norm of √v, relative to the gradient's where training began, below which mini-batches have no gradients."""
AGE = 1e18
"""The step that such an optimizer is told to be at: all of its bias corrections have ended."""
DECAY = 1 - 1e-15
"""β₂."""


def hold(problem: Problem, minimum: Minimum) -> Minimum:
    """Returns the minimum with v, and with the sharpness and the sharpest direction of the preconditioned loss.

    The problem is left at the minimum.

    Raises:
        MinimumNotReached: mini-batches have no gradients at this minimum.
    """
    x = minimum.point
    problem.move_to(x)
    squares = torch.zeros_like(x)
    some = MINI_BATCH if len(problem) > MINI_BATCH else max(len(problem) // 2, 1)  # the full batch has no gradient here
    for batch in islice(problem.batches(some, seed=0), BATCHES):
        for parameter in problem.parameters:
            parameter.grad = None
        problem.backward(batch)
        squares += flatten(torch.zeros_like(p) if p.grad is None else p.grad for p in problem.parameters).square()
    squares /= BATCHES
    if float(squares.sum().sqrt()) <= VANISHED * minimum.start_norm:
        raise MinimumNotReached(
            "the gradients of mini-batches vanish at the minimum too, since the model fits every example: Adam and its "
            "kin have no preconditioner to hold there"
        )
    scale = (squares.sqrt() + epsilon(squares)).rsqrt()  # P^(-1/2)
    top = largest_eigenvalue(lambda v: scale * problem.hessian_vector_product(x, scale * v), x)
    direction = scale * top.direction
    problem.move_to(x)
    return replace(minimum, sharpness=top.value, direction=direction / direction.norm(), squares=squares)


def epsilon(squares: Tensor) -> float:
    """Returns the ε that goes with v [P]."""
    return SHARE * float(squares.sqrt().mean())


def eigenvector(minimum: Minimum) -> Tensor:
    """Returns the unit eigenvector [P] of the sharpest direction, that of P^(-1/2) H P^(-1/2) where there is a v."""
    if minimum.squares is None:
        return minimum.direction
    u = (minimum.squares.sqrt() + epsilon(minimum.squares)).sqrt() * minimum.direction
    unit: Tensor = u / u.norm()
    return unit


def fill(optimizer: Optimizer, problem: Problem, squares: Tensor) -> None:
    """Gives an optimizer the state of one that has v [P] and has come to rest."""
    pieces = squares.split([p.numel() for p in problem.parameters])
    for parameter, own in zip(problem.parameters, pieces, strict=True):
        nothing = torch.zeros_like(parameter)
        v = own.view_as(parameter).clone()
        state = {"step": torch.tensor(AGE), "exp_avg": nothing, "exp_avg_sq": v, "square_avg": v}
        state |= {"momentum_buffer": nothing.clone(), "mu_product": torch.tensor(0.0)}
        optimizer.state[parameter] = state
    for group in optimizer.param_groups:
        group["eps"] = epsilon(squares)
