"""The gradients of many points at once. Through fully connected layers they are written out, for any other network not.

For a network as small as that of `digits`, autograd would take as long as all else in a step.

Shapes: K points, n examples. As in `stacked_network.py`, a layer's inputs and outputs are [K, features, n].
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from tautune.trainables.grid.stacked_network import (
    fully_connected,
    has_written_out_loss,
    losses_of_each,
    outputs_of_each,
    through,
)
from tautune.trainables.theory.problem import Problem

Found = tuple[Tensor, tuple[Tensor, ...]]
SLOPES: dict[type[nn.Module], Callable[[Tensor, Tensor], Tensor]] = {
    nn.Tanh: torch.ops.aten.tanh_backward,
    nn.Sigmoid: torch.ops.aten.sigmoid_backward,
    nn.ReLU: lambda slopes, h: torch.ops.aten.threshold_backward(slopes, h, 0),
}
"""The slopes at an activation's inputs, from those at its outputs h and from h itself."""


def losses_and_gradients(
    problem: Problem, pieces: tuple[Tensor, ...], inputs: Tensor, targets: Tensor, *, per_point: bool
) -> Found:
    """Returns losses [K], without penalty, and their gradients by parameters [K, …], in the order of the problem's.

    Args:
        pieces: the parameters [K, …], which require a gradient.
        inputs, targets: shared by all points or, with `per_point`, beginning with dimension K.
    """
    layers = fully_connected(problem, inputs.ndim - per_point)
    if layers is not None and all(type(layer) in (nn.Linear, *SLOPES) for layer in layers):
        return _written_out(problem, layers, pieces, inputs, targets, per_point=per_point)
    outputs = outputs_of_each(problem, pieces, inputs, per_point=per_point)
    losses = losses_of_each(problem, outputs, targets, per_point=per_point)
    return losses.detach(), torch.autograd.grad(losses.sum(), pieces, materialize_grads=True)


@torch.no_grad()
def _written_out(
    problem: Problem,
    layers: Sequence[nn.Module],
    pieces: tuple[Tensor, ...],
    inputs: Tensor,
    targets: Tensor,
    *,
    per_point: bool,
) -> Found:
    """Goes back through the layers: with y = W h + b and slopes s = ∂f/∂y, ∂f/∂W = s hᵀ, ∂f/∂b = Σ s, ∂f/∂h = Wᵀ s."""
    passed = through(layers, pieces, inputs)
    losses, slopes = _at_the_outputs(problem, passed[-1], targets, per_point=per_point)
    remaining, gradients = list(pieces), []
    for place in reversed(range(len(layers))):
        layer, h = layers[place], passed[place]
        if not isinstance(layer, nn.Linear):
            slopes = SLOPES[type(layer)](slopes, passed[place + 1])
            continue
        if layer.bias is not None:
            gradients.append(slopes.sum(dim=2))
            remaining.pop()
        gradients.append(slopes @ h.mT)
        weights = remaining.pop()
        if place:
            slopes = weights.mT @ slopes
    return losses, tuple(gradients[::-1])


def _at_the_outputs(problem: Problem, outputs: Tensor, targets: Tensor, *, per_point: bool) -> tuple[Tensor, Tensor]:
    """Returns losses [K], and their slopes [K, classes, n] at the outputs [K, classes, n]."""
    if not has_written_out_loss(problem):
        with torch.enable_grad():
            outputs.requires_grad_()
            losses = losses_of_each(problem, outputs.mT, targets, per_point=per_point)
            (slopes,) = torch.autograd.grad(losses.sum(), [outputs])
        return losses.detach(), slopes
    logarithms = outputs.log_softmax(dim=1)
    K, _, n = outputs.shape
    classes = targets.expand(K, n).unsqueeze(1)
    losses = -logarithms.gather(1, classes).mean(dim=(1, 2))
    slopes = logarithms.exp_()  # of the mean of -log softmax: softmax - 1 at the target's class, over n
    slopes.scatter_add_(1, classes, slopes.new_full(classes.shape, -1.0))
    return losses, slopes.div_(n)
