"""Closures and delays: which optimizers need to evaluate the loss themselves, and so have no delayed form."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


def check_no_closure_needed(optimizer: Optimizer) -> None:
    """Raises ValueError if `optimizer` cannot step without evaluating the loss itself.

    Its class is asked: a learning-rate scheduler puts a function of its own in the place of an optimizer's `step`.
    """
    _, *arguments = inspect.signature(type(optimizer).step).parameters.values()
    required = [
        parameter.name
        for parameter in arguments
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if required or isinstance(optimizer, torch.optim.LBFGS):
        raise ValueError(
            f"delay must be 0 for {type(optimizer).__name__}: it evaluates the loss and its gradient inside its step, "
            "where they cannot be late"
        )


class EvaluatedClosure:
    """What the wrapped optimizer gets in place of a closure that the queue has evaluated already: its value, once.

    An ordinary optimizer calls its closure once, before it changes anything, and the late gradients are in `.grad` by
    then. One that calls it again, or after it has moved the parameters or touched their gradients (sharpness-aware
    minimization, a line search), wants gradients of another point, which would not be late.

    Raises:
        ValueError: when called again, or after a parameter or a gradient has changed.
    """

    def __init__(self, value: Any, parameters: Sequence[Tensor], optimizer: Optimizer) -> None:
        self.value, self.parameters, self.optimizer = value, parameters, optimizer
        self.called = False
        self.before = self._versions()

    def __call__(self) -> Any:
        """Returns the closure's value. Raises ValueError for a second call, or one after the weights have moved."""
        if self.called or self._versions() != self.before:
            raise ValueError(
                f"delay must be 0 for {type(self.optimizer).__name__}: it evaluates its closure again during its step, "
                "and such gradients cannot be late"
            )
        self.called = True
        return self.value

    def _versions(self) -> list[tuple[int, int, int]]:
        """Returns what changes when a parameter or its gradient is written to or replaced."""
        return [(p._version, id(p.grad), -1 if p.grad is None else p.grad._version) for p in self.parameters]
