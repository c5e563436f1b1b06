"""Finds operations that have a first derivative and no second one: torch takes that of some silently for 0."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import CheckpointFunction

from tautune.trainables.theory.own_functions import calls_of, is_recorded

LACKING = re.compile(
    r"derivative for '?([\w:.]+)'? is not implemented|([\w:.]+) does not (?:currently )?support double"
)
ONCE = once_differentiable(lambda ctx: None).__code__
"""What every `backward` that is marked so has in common."""


@contextmanager
def second_derivatives() -> Iterator[None]:
    """Names the operation where something inside raises because an operation has no second derivative."""
    try:
        yield
    except (RuntimeError, NotImplementedError) as error:
        found = LACKING.search(str(error))
        if not found:
            raise
        raise ValueError(_lacking(found.group(1) or found.group(2))) from error


def check_twice(evaluate: Callable[[], Tensor], leaves: Sequence[Tensor]) -> None:
    """Raises ValueError if torch would leave out some of the second derivative of what `evaluate` returns.

    torch's own operations have a second derivative, or raise an error. An `autograd.Function` of somebody else's is
    seen where

    - it is marked with `once_differentiable`;
    - its `backward` computes what torch does not record, as with NumPy: the graph of its gradient ends there;
    - its `backward` multiplies by what `forward` has computed and kept: see `own_functions.is_recorded`.

    What cannot be seen: functions of C++, which have no class in Python, and one that cannot be called on its own. And
    what is detached in a model is meant to be a constant: its curvature is left out, and no fault.

    It costs a gradient; where there are such functions, it evaluates once more, and each of them a few times.
    """
    value = evaluate()
    check_seen(value)
    own = [node for node in _nodes([value]) if hasattr(type(node), "_forward_cls")]
    found = {_name(node) for node in own if _is_marked(node)}

    def watch(node: Any) -> None:
        def see(inputs: Sequence[Tensor | None], _: Any) -> None:
            if any(g is not None and not g.requires_grad and bool(g.any()) for g in inputs):
                found.add(_name(node))

        node.register_hook(see)

    for node in own:
        watch(node)
    one = torch.ones_like(value).requires_grad_()  # each gradient depends on it, if torch records how
    gradients = torch.autograd.grad(value, leaves, one, create_graph=True, materialize_grads=True)
    names = sorted(found)
    if names or any("Error" in node.name() for node in _nodes(gradients)):  # what such a function leaves behind
        raise ValueError(_lacking(", ".join(names) or "a function of one's own"))
    calls = calls_of({type(node)._forward_cls for node in own}, evaluate) if own else []
    keeping = sorted({call.function.__name__ for call in calls if not is_recorded(call)})
    if keeping:
        raise ValueError(
            f"the model has no Hessian-vector product: backward of {', '.join(keeping)} takes what its forward has "
            "computed and kept, which is a constant for torch; let it compute that from inputs or outputs that forward "
            "saves, or freeze what lies before it"
        )


def check_seen(value: Tensor) -> None:
    """Raises ValueError if parameters are hidden from a gradient with respect to them, and so taken not to matter."""
    if any(getattr(type(node), "_forward_cls", None) is CheckpointFunction for node in _nodes([value])):
        raise ValueError(
            "the model calls torch.utils.checkpoint with use_reentrant=True, which hides what is inside from the "
            "curvature: set use_reentrant=False"
        )


def _is_marked(node: Any) -> bool:
    """Returns whether a node is of a function whose backward is marked, whatever else decorates it."""
    function = getattr(type(node), "_forward_cls", None)
    marked = [getattr(function, name, None) for name in ("backward", "vjp")]
    return any(getattr(one, "__code__", None) is ONCE for backward in marked for one in _decorated(backward))


def _decorated(function: Any) -> Iterator[Any]:
    while function is not None:
        yield function
        function = getattr(function, "__wrapped__", None)


def _name(node: Any) -> str:
    return type(node).__name__.removesuffix("Backward")


def _nodes(values: Iterable[Tensor]) -> set[Any]:
    """Returns the nodes of the graph behind some tensors."""
    seen: set[Any] = set()
    waiting = [value.grad_fn for value in values]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [following for following, _ in node.next_functions]
    return seen


def _lacking(name: str) -> str:
    return (
        f"the model has no Hessian-vector product: {name} has a first derivative and no second one; replace that "
        "operation, or freeze what lies before it"
    )
