"""The loss over a user's batches, and its curvature, one batch in memory at a time.

A batch is a pair (inputs, targets), or a mapping, as Hugging Face's models take it:

    (inputs, targets)       loss(model(inputs), targets)
    ((a, b), targets)       loss(model(a, b), targets)
    (a, b, targets)         loss(model(a, b), targets)
    {"input_ids": …}        loss(model(**batch), batch)

Shapes: P parameters. Vectors [P] are flat, in the order of `parameters`.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tautune.trainables.theory.problem import derivative_along, twice_differentiable

AnyLoss = Callable[[Any, Any], Tensor]
DRIFT = {torch.float64: 1e-9}
"""Largest relative difference of the loss in two passes over the batches; in other precisions 1e-4."""


class NotFiniteError(ValueError):
    """The loss over a batch is infinite or NaN, be it that the batch is wrong or that training has exploded."""


class BatchLoss:
    """f(x) = Σ n_b f_b(x) / Σ n_b over batches of n_b examples, at the weights that the model has.

    The model must be as `checks.evaluating` puts it. Its `.grad` and buffers stay as they are.

    Args:
        model: the network, on any device; batches are brought there.
        loss: (outputs, targets) → the mean over the batch, a scalar.
        batches: a DataLoader, a list of batches, or a single one. Each pass over them reads them anew.
        parameters: those that the curvature is with respect to.

    Raises:
        ValueError: there is no batch, or the batches can be read once only.
    """

    def __init__(self, model: nn.Module, loss: AnyLoss, batches: Any, parameters: Sequence[Tensor]) -> None:
        self.model, self.loss, self.parameters = model, loss, list(parameters)
        self.batches = [batches] if _is_one_batch(batches) else batches
        if not isinstance(self.batches, Iterable):
            raise ValueError(
                f"batches must be a DataLoader, a list of batches or a pair (inputs, targets), not {batches!r}"
            )
        if isinstance(self.batches, Iterator):
            raise ValueError("batches run out after one pass, and several are needed: give a DataLoader or a list")
        self.device = self.parameters[0].device
        self.passes = 0
        """How often the batches were passed over."""
        self.value: float | None = None
        """f, once a pass was made."""
        self.examples = 0
        """Σ n_b, once a pass was made."""

    def hessian_vector_product(self, v: Tensor) -> Tensor:
        """Returns ∇²f v [P]: the loss of a batch is differentiated twice, and its graph freed before the next one."""
        product = torch.zeros_like(v)
        for weight, value in self._values():
            product += weight * derivative_along(value, self.parameters, v)
        return product / self.examples

    def curvatures(self, v: Tensor) -> tuple[list[float], list[int]]:
        """Returns vᵀ ∇²f_b v of each batch for a vector v [P], and the batches' numbers of examples."""
        found, sizes = [], []
        for weight, value in self._values():
            found.append(float(v @ derivative_along(value, self.parameters, v)))
            sizes.append(weight)
        return found, sizes

    def value_of(self, batch: Any) -> tuple[int, Tensor]:
        """Returns the number of examples of a batch, and its loss."""
        inputs, targets = _to(_divided(batch), self.device)
        return _examples(targets, inputs), self.loss(_call(self.model, inputs), targets)

    def first(self) -> Any:
        """Returns the first batch. Raises ValueError if there is none."""
        for batch in self.batches:
            return batch
        raise ValueError("batches are empty: there is nothing to take the curvature of")

    def _values(self) -> Iterator[tuple[int, Tensor]]:
        """Yields number of examples and loss of each batch.

        Raises:
            ValueError: there is no batch, a loss is not finite, or a pass differs from the one before.
        """
        examples, total = 0, 0.0
        with torch.enable_grad(), twice_differentiable(self.model, self.device):
            for batch in self.batches:
                weight, value = self.value_of(batch)
                examples, total = examples + weight, total + weight * value.item()
                self.examples = examples  # whoever iterates divides by it after the last one
                if not math.isfinite(total):
                    raise NotFiniteError(f"the loss is {value.item()} on one of the batches: it must be finite")
                yield weight, value
        if not examples:
            raise ValueError("batches are empty: there is nothing to take the curvature of")
        self._compare(total / examples)

    def _compare(self, value: float) -> None:
        before, self.value = self.value, value
        self.passes += 1
        drift = DRIFT.get(self.parameters[0].dtype, 1e-4)
        if before is not None and not abs(value - before) <= drift * abs(before):
            raise ValueError(
                f"two passes over the batches gave a loss of {before:.6g} and of {value:.6g}: the batches must be the "
                "same ones in each pass; turn random augmentation off, and shuffling too where batch norm is in train "
                "mode, or give list(…) of a few of them"
            )


def _is_one_batch(batches: Any) -> bool:
    """Returns whether this is a batch, and not several: a mapping, a tensor, or a tuple that ends with a tensor."""
    if isinstance(batches, Sequence) and len(batches):
        return isinstance(batches[-1], Tensor)
    return isinstance(batches, Mapping | Tensor)


def _divided(batch: Any) -> tuple[Any, Any]:
    """Returns the inputs and the targets of a batch. Raises ValueError if it has another form."""
    if isinstance(batch, Mapping | Tensor):
        return batch, batch
    if isinstance(batch, Sequence) and len(batch) >= 2:
        *inputs, targets = batch
        return inputs[0] if len(inputs) == 1 else tuple(inputs), targets
    raise ValueError(f"a batch must be a pair (inputs, targets) or a mapping, not a {type(batch).__name__}")


def _to(values: Any, device: torch.device) -> Any:
    if isinstance(values, Tensor):
        return values.to(device)
    if isinstance(values, Mapping):
        return {name: _to(value, device) for name, value in values.items()}
    if isinstance(values, tuple | list):
        return tuple(_to(value, device) for value in values)
    return values


def _call(model: nn.Module, inputs: Any) -> Any:
    if isinstance(inputs, Mapping):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, tuple) else model(inputs)


def _examples(*values: Any) -> int:
    """Returns the length of the first tensor in there."""
    for value in values:
        if isinstance(value, Tensor) and value.ndim:
            return len(value)
        if isinstance(value, Mapping | tuple):
            found = _examples(*(value.values() if isinstance(value, Mapping) else value))
            if found:
                return found
    return 1
