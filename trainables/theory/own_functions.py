"""Compares what an `autograd.Function` of the user's does backward with what torch has recorded of it.

A `backward` multiplies its gradient g by a derivative F'(x). Where `forward` has computed F'(x) and kept it, torch
takes it for a constant, and the second derivative loses F''(x) g, without an error. Only numbers show that: r = F'(x) g
at x ± ε v, with the same g, changes as the graph of r says it does, or it changes and the graph does not say so.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

APART = 0.25
"""Largest relative difference of a change and what is recorded of it; both are good to a few hundredths."""
KINK = 0.25
"""Largest difference of the changes on both sides, relative to their sum: at a kink or a step, one of them is 0."""
STEP = 0.005
"""ε, relative to x, at least: rounding's errors count little in it, and a kept copy that is quantized shows too."""


class Call(NamedTuple):
    """A function with the arguments that it was called with."""

    function: type[Function]
    arguments: tuple[Any, ...]
    """Copies of the tensors, and everything else as it was."""


def calls_of(functions: Collection[type[Function]], evaluate: Callable[[], object]) -> list[Call]:
    """Returns with which arguments `evaluate` calls these functions, once for each combination of shapes and types."""
    calls: dict[Any, Call] = {}

    def note(function: type[Function], arguments: Sequence[Any]) -> None:
        kind = (function, *((a.shape, a.dtype, a.requires_grad) for a in arguments if isinstance(a, Tensor)))
        if kind not in calls:
            calls[kind] = Call(function, tuple(map(_copy, arguments)))

    with _watched(functions, note):
        evaluate()
    return list(calls.values())


def is_recorded(call: Call) -> bool:
    """Returns whether the derivative of r = F'(x) g along v, as torch records it, is that by which r changes.

    They are compared at the entries of r that change smoothly. A kink, such as that of ReLU, has no derivative, and
    rounding's is 0. A function that cannot be called with other numbers than its own is believed.
    """
    x = [a.detach() for a in call.arguments if _is_variable(a)]
    if not x:
        return True
    generator = torch.Generator().manual_seed(0)
    v = [_random(a, generator) * (a if bool(a.any()) else 1) for a in x]
    ε = max(STEP, torch.finfo(x[0].dtype).eps ** (1 / 3))
    try:
        leaves = [a.clone().requires_grad_() for a in x]
        r = _backward(call, leaves, create_graph=True)
        plus, minus = (
            _backward(
                call, [(a + sign * ε * b).requires_grad_() for a, b in zip(x, v, strict=True)], create_graph=False
            )
            for sign in (1, -1)
        )
        changes = [_change(*each, ε) for each in zip(r, plus, minus, strict=True)]
        recorded = _along(r, leaves, v, changes)
    except Exception:  # noqa: BLE001 - what others' functions raise
        return True
    changed = sum(float(c.double().square().sum()) for c in changes)
    return abs(recorded - changed) <= APART * changed


def _backward(call: Call, x: Sequence[Tensor], *, create_graph: bool) -> list[Tensor]:
    """Returns r, the derivative with respect to each of x of the sum of F(x) times the same random g."""
    given = iter(x)
    arguments = [next(given).clone() if _is_variable(a) else a for a in call.arguments]  # it may change them in place
    with torch.enable_grad():
        outputs = call.function.apply(*arguments)
        outputs = [y for y in (outputs if isinstance(outputs, tuple) else (outputs,)) if _is_variable(y)]
        generator = torch.Generator().manual_seed(1)
        g = [_random(y, generator) for y in outputs]
        return list(torch.autograd.grad(outputs, x, g, create_graph=create_graph, materialize_grads=True))


def _change(r: Tensor, plus: Tensor, minus: Tensor, ε: float) -> Tensor:
    """Returns by how much r changes along v where it does so smoothly, and by more than rounding; 0 elsewhere."""
    r, up, down = r.detach(), plus - r.detach(), r.detach() - minus
    smooth = ((up - down).abs() <= KINK * (up + down).abs()) & ((up + down).abs() > ε**2 * r.abs().amax())
    return torch.where(smooth, (up + down) / (2 * ε), 0)


def _along(r: Sequence[Tensor], leaves: Sequence[Tensor], v: Sequence[Tensor], changes: Sequence[Tensor]) -> float:
    """Returns Σ change · (derivative of r along v), as torch records it."""
    of = [(one, change) for one, change in zip(r, changes, strict=True) if one.requires_grad]
    if not of:
        return 0.0
    weighted = torch.stack([(one * change).sum() for one, change in of]).sum()
    slopes = torch.autograd.grad(weighted, leaves, materialize_grads=True)
    return sum(float((slope.double() * b.double()).sum()) for slope, b in zip(slopes, v, strict=True))


@contextmanager
def _watched(
    functions: Collection[type[Function]], note: Callable[[type[Function], Sequence[Any]], None]
) -> Iterator[None]:
    """Tells inside of each call of these functions, by whatever name their `apply` is called."""
    kept = {function: vars(function).get("forward") for function in functions}
    try:
        for function in functions:
            setattr(function, "forward", staticmethod(_telling(function, note)))  # noqa: B010 - a class of others
        yield
    finally:
        for function, own in kept.items():
            if own is None:  # it has its base's
                del function.forward
            else:
                setattr(function, "forward", own)  # noqa: B010


def _telling(function: type[Function], note: Callable[[type[Function], Sequence[Any]], None]) -> Callable[..., Any]:
    forward = function.forward
    given = 0 if function.setup_context is not Function.setup_context else 1  # a context comes first where it sets none

    def tell(*arguments: Any) -> Any:
        note(function, arguments[given:])
        return forward(*arguments)

    return tell


def _is_variable(a: Any) -> bool:
    return isinstance(a, Tensor) and a.is_floating_point() and a.requires_grad


def _copy(a: Any) -> Any:
    return a.detach().clone().requires_grad_(a.requires_grad) if isinstance(a, Tensor) else a


def _random(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator).to(like).detach()
