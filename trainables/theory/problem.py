"""A training problem in mathematical form: the loss f(x) of one flat vector x, its gradient and its curvature.

Shapes: P trainable parameters, N examples. x, gradients and eigenvectors are flat tensors [P] in the order of
`model.parameters()`, without the parameters that do not require a gradient.
"""

import copy
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import vector_to_parameters

Loss = Callable[[Tensor, Tensor], Tensor]


def flatten(tensors: Iterable[Tensor]) -> Tensor:
    """Returns the entries of all tensors as one vector; their layout in memory does not matter."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


class Problem:
    """f(x) = mean loss over the data + (l2/2) Σ w² over the weights, without biases and normalization layers.

    The model is evaluated in the mode it is in. For f to be a function, that must be `eval()` mode: without dropout,
    and with batch norm's running statistics.

    Args:
        model: the network; its parameters are changed, except those with `requires_grad=False`.
        loss: (outputs [n, …], targets [n, …]) → mean over the n examples.
        inputs, targets: the data set, N examples along the first dimension.
        l2: weight of the penalty.
        chunk: number of examples evaluated at once, so that memory does not grow with N.
    """

    def __init__(
        self, model: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor, *, l2: float = 0.0, chunk: int = 8192
    ) -> None:
        self.model, self.loss, self.inputs, self.targets = model, loss, inputs, targets
        self.l2, self.chunk = l2, chunk
        trainable = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        self.names = [name for name, _ in trainable]
        self.parameters = [parameter for _, parameter in trainable]

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def point(self) -> Tensor:
        """Returns a copy of the parameters as one vector x [P]."""
        return flatten(self.parameters).detach()

    @cached_property
    def targets_are_classes(self) -> bool:
        """Returns whether every target is a class number; torch skips class -100, and other negatives are errors."""
        return not self.targets.is_floating_point() and bool((self.targets >= 0).all())

    def cast(self, dtype: torch.dtype) -> "Problem":
        """Returns a copy with floating-point numbers of type `dtype`; integers stay integers."""
        model = copy.deepcopy(self.model).to(dtype)
        inputs, targets = (t.to(dtype) if t.is_floating_point() else t for t in (self.inputs, self.targets))
        return Problem(model, self.loss, inputs, targets, l2=self.l2, chunk=self.chunk)

    def move_to(self, x: Tensor) -> None:
        """Sets the parameters to a copy of x [P]."""
        vector_to_parameters(x.detach().clone(), self.parameters)

    def batches(self, mini_batch: int | None, seed: int) -> Iterator[Tensor | None]:
        """Returns an endless iterator over mini-batches, as indices [mini_batch], in a new order every epoch.

        Args:
            mini_batch: examples in each mini-batch; with None, every item is None and stands for the full batch.

        Raises:
            ValueError: `mini_batch` is below 1 or above the number of examples.
        """
        if mini_batch is not None and not 1 <= mini_batch <= len(self):
            raise ValueError(f"mini_batch must be between 1 and the {len(self)} examples there are, not {mini_batch}")
        return self._batches(mini_batch or 0, seed)

    def _batches(self, mini_batch: int, seed: int) -> Iterator[Tensor | None]:
        generator = torch.Generator().manual_seed(seed)
        while not mini_batch:
            yield None
        while True:
            order = torch.randperm(len(self), generator=generator).to(self.inputs.device)
            yield from order[: len(self) - len(self) % mini_batch].split(mini_batch)

    def backward(self, batch: Tensor | None = None, *, penalty: bool = True) -> float:
        """Adds ∇f, over the examples of `batch` (indices [n]) or over all, to every `.grad`, and returns f.

        Args:
            penalty: whether f and ∇f include the penalty.
        """
        total = 0.0
        with differentiable(self.model, self.inputs.device):
            for inputs, targets, share in self.chunks(batch):
                value = share * self.loss(self.model(inputs), targets)
                value.backward()
                total += value.item()
        if self._penalized and penalty:
            term = self._penalty(dict(zip(self.names, self.parameters, strict=True)))
            term.backward()
            total += term.item()
        return total

    def value_and_gradient(self, x: Tensor) -> tuple[float, Tensor]:
        """Returns f(x) and ∇f(x) [P] over the whole data set."""
        self.move_to(x)
        for parameter in self.parameters:
            parameter.grad = None
        value = self.backward()
        return value, flatten(torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters)

    def hessian_vector_product(self, x: Tensor, v: Tensor) -> Tensor:
        """Returns ∇²f(x) v [P] over the whole data set by differentiating ∇f·v; the Hessian itself is never formed."""
        at = {name: piece.requires_grad_() for name, piece in self._named(x.detach().clone()).items()}
        leaves = list(at.values())
        product = torch.zeros_like(x)
        with twice_differentiable(self.model, self.inputs.device):
            for inputs, targets, share in self.chunks(None):
                value = share * self.loss(functional_call(self.model, at, (inputs,)), targets)
                product += derivative_along(value, leaves, v)
        if self._penalized:
            product += derivative_along(self._penalty(at), leaves, v)
        return product

    @property
    def decay(self) -> Tensor:
        """Returns decay [P], where decay · x (entry by entry) is the penalty's gradient: l2 for weights, else 0."""
        return flatten(torch.full_like(p, self.l2 if p.ndim > 1 else 0.0).detach() for p in self.parameters)

    def chunks(self, batch: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor, float]]:
        """Yields the examples of `batch`, or all, at most `chunk` at a time: inputs, targets, share of the whole."""
        inputs = self.inputs if batch is None else self.inputs[batch]
        targets = self.targets if batch is None else self.targets[batch]
        for i, t in zip(inputs.split(self.chunk), targets.split(self.chunk), strict=True):
            yield i, t, len(i) / len(inputs)

    @cached_property
    def _penalized(self) -> bool:
        return bool(self.l2) and any(parameter.ndim > 1 for parameter in self.parameters)

    def _penalty(self, parameters: dict[str, Tensor]) -> Tensor:
        return 0.5 * self.l2 * sum((w.square().sum() for w in parameters.values() if w.ndim > 1), torch.zeros(()))

    def _named(self, x: Tensor) -> dict[str, Tensor]:
        pieces = x.split([p.numel() for p in self.parameters])
        return {n: c.view(p.shape) for n, c, p in zip(self.names, pieces, self.parameters, strict=True)}


@dataclass(frozen=True, kw_only=True)
class ProblemParts:
    """A whole problem in the form sent to a trial: it can be pickled, and each node keeps one copy of the arrays."""

    model: nn.Module
    """The model on the CPU, at the weights where training begins."""
    loss: Loss
    l2: float
    chunk: int
    inputs: NDArray[Any]
    targets: NDArray[Any]

    @classmethod
    def of(cls, problem: Problem) -> "ProblemParts":
        """Returns the parts of `problem`, with a copy of its model."""
        model = copy.deepcopy(problem.model).cpu()
        inputs, targets = (tensor.detach().cpu().numpy() for tensor in (problem.inputs, problem.targets))
        return cls(model=model, loss=problem.loss, l2=problem.l2, chunk=problem.chunk, inputs=inputs, targets=targets)

    def on(self, device: torch.device | str) -> Problem:
        """Returns the problem on `device`, with its own copy of the model. On the CPU the data are not copied."""
        with warnings.catch_warnings():  # Ray's arrays are read-only, which is fine: nothing here writes to them
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            inputs, targets = (torch.from_numpy(array).to(device) for array in (self.inputs, self.targets))
        model = copy.deepcopy(self.model).to(device)
        return Problem(model, self.loss, inputs, targets, l2=self.l2, chunk=self.chunk)


def derivative_along(value: Tensor, leaves: Sequence[Tensor], v: Tensor) -> Tensor:
    """Returns the derivative [P] of ∇value·v with respect to the leaves; zero where it does not depend on them.

    It has the type of v, which may be more precise than that of the leaves.
    """
    gradients = torch.autograd.grad(value, leaves, create_graph=True, materialize_grads=True)
    along = flatten(gradients).to(v) @ v
    if not along.requires_grad:
        return torch.zeros_like(v)
    return flatten(torch.autograd.grad(along, leaves, materialize_grads=True)).to(v)


def differentiable(model: nn.Module, device: torch.device) -> ExitStack:
    """Returns a context that turns cuDNN off where it cannot differentiate: recurrent layers in eval mode."""
    context = ExitStack()
    if device.type == "cuda" and any(isinstance(module, nn.RNNBase) for module in model.modules()):
        context.enter_context(torch.backends.cudnn.flags(enabled=False))
    return context


def twice_differentiable(model: nn.Module, device: torch.device) -> ExitStack:
    """Returns a context that also turns fused attention off, which has no second derivative."""
    context = differentiable(model, device)
    context.enter_context(sdpa_kernel(SDPBackend.MATH))
    return context
