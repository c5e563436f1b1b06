"""Checks a user's problem before anything is measured; each fault is reported in one plain line."""

import math
import warnings

import torch
from torch import Tensor

from tautune.trainables.theory.problem import Problem, derivative_along, twice_differentiable
from tautune.trainables.theory.second_derivatives import check_twice, second_derivatives

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
"""Largest relative difference of two evaluations of one loss: above rounding errors, below the effect of randomness."""
FEW = 64
"""Number of examples on which model and loss are tried first: a fault shows before the whole data set is evaluated."""


def check_problem(problem: Problem) -> None:
    """Raises ValueError, with a message of one line, if no threshold can be measured for f.

    The check costs two gradients over the whole data set. It leaves the problem and torch's random numbers unchanged.
    """
    _check_data(problem)
    if not problem.parameters:
        raise ValueError("the model has no parameters that require a gradient: there is nothing to train")
    here = problem.point
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        _check_few(problem)
        _check_mean(problem)
        _check_whole(problem)
        _check_curvature(problem)
    problem.move_to(here)
    _clear(problem)


def _check_data(problem: Problem) -> None:
    shapes = {"inputs": problem.inputs, "targets": problem.targets}
    for name, tensor in shapes.items():
        if tensor.ndim == 0 or len(tensor) == 0:
            raise ValueError(f"there are no examples: {name} have the shape {tuple(tensor.shape)}")
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ValueError(f"{int((~tensor.isfinite()).sum())} of the values in the {name} are not finite")
    if len(problem.inputs) != len(problem.targets):
        raise ValueError(f"there are {len(problem.inputs)} inputs and {len(problem.targets)} targets")


def _check_few(problem: Problem) -> None:
    """Raises ValueError if model or loss fail on a few examples, or if the loss is not a differentiable scalar."""
    inputs, targets = problem.inputs[:FEW], problem.targets[:FEW]
    given = f"inputs of shape {tuple(inputs.shape)} and type {_type(inputs)}"
    try:
        outputs = problem.model(inputs)
    except (Exception, SystemExit) as error:
        hint = "" if inputs.is_floating_point() else "; integers are for embeddings: give other inputs as float"
        raise ValueError(f"the model does not take {given}{hint} ({_line(error)})") from error
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Using a target size")  # torch broadcasts them all the same
            loss = problem.loss(outputs, targets)
    except (Exception, SystemExit) as error:
        shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        which = f"outputs of shape {shape} and targets of shape {tuple(targets.shape)} and type {_type(targets)}"
        raise ValueError(f"the loss does not take {which} ({_line(error)})") from error
    if not isinstance(loss, Tensor) or loss.ndim:
        shape = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise ValueError(f"the loss must return one number, the mean over the examples, not {shape}")
    if not loss.requires_grad:
        raise ValueError("the loss does not depend on the model's parameters: it, or the model, detaches them")


def _check_mean(problem: Problem) -> None:
    """Raises ValueError if the loss of a few examples is the sum, and not the mean, of the losses of their halves."""
    half = min(len(problem), 2 * FEW) // 2
    if not half:
        return
    first, second, both = (_loss(problem, slice(*ends)) for ends in ((0, half), (half, 2 * half), (0, 2 * half)))
    close = 1e-3 * (abs(first) + abs(second))
    if abs(both - (first + second) / 2) <= close:
        return
    if abs(both - (first + second)) <= close:
        raise ValueError(
            "the loss is a sum over the examples; it must be their mean: divide by the number of examples "
            "(reduction='mean' in torch's own losses)"
        )
    if len(problem) > problem.chunk:
        raise ValueError(
            "the loss of some examples is not the mean of the losses of their halves, as it must be for more than "
            f"{problem.chunk} examples, which are evaluated in parts: leave out weights of classes and ignored targets"
        )


def _check_whole(problem: Problem) -> None:
    """Raises ValueError if f is not finite at the start, differs between evaluations, or ignores some parameters."""
    before = [buffer.clone() for buffer in problem.model.buffers()]
    _clear(problem)
    problem.backward(penalty=False)  # L2 alone would give every weight a gradient
    unused = [n for n, p in zip(problem.names, problem.parameters, strict=True) if p.grad is None]
    _clear(problem)
    first = problem.backward()
    if not math.isfinite(first):
        raise ValueError(f"the loss is {first} at the initial weights: it must be finite")
    if unused:
        names = ", ".join(unused[:5]) + (f" and {len(unused) - 5} more" if len(unused) > 5 else "")
        raise ValueError(f"the loss does not depend on {names}: leave them out, or set requires_grad=False for them")
    gradient = _gradient(problem)
    _clear(problem)
    second = problem.backward()
    again = _gradient(problem)
    tolerance = TOLERANCE.get(gradient.dtype, 1e-4)
    same = abs(second - first) <= tolerance * abs(first)
    if not (same and float((again - gradient).norm()) <= 10 * tolerance * float(gradient.norm())):
        raise ValueError(
            f"the model is not deterministic: two evaluations at the same weights gave a loss of {first:.6g} and of "
            f"{second:.6g}, or different gradients; remove random numbers and changing state from `forward`"
        )
    changed = [
        name
        for (name, buffer), old in zip(problem.model.named_buffers(), before, strict=True)
        if not torch.equal(buffer, old)
    ]
    if changed:
        raise ValueError(f"the model is not deterministic: its buffer {changed[0]} changes when it is evaluated")


def _check_curvature(problem: Problem) -> None:
    """Raises ValueError if the loss of a few examples cannot be differentiated twice."""
    with twice_differentiable(problem.model, problem.inputs.device), second_derivatives():
        inputs, targets = problem.inputs[:FEW], problem.targets[:FEW]
        check_twice(lambda: problem.loss(problem.model(inputs), targets), problem.parameters)
        value = problem.loss(problem.model(inputs), targets)
        derivative_along(value, problem.parameters, torch.ones_like(problem.point))


def _loss(problem: Problem, which: slice) -> float:
    with torch.no_grad():
        return float(problem.loss(problem.model(problem.inputs[which]), problem.targets[which]))


def _gradient(problem: Problem) -> Tensor:
    return torch.cat([p.grad.reshape(-1) for p in problem.parameters if p.grad is not None])


def _clear(problem: Problem) -> None:
    for parameter in problem.parameters:
        parameter.grad = None


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _line(error: BaseException) -> str:
    """Returns the type of an error and the first line of its message."""
    first = str(error).strip().partition("\n")[0][:200]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
