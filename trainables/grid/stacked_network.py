"""Evaluates one network with the parameters of many points at once: outputs, losses and accuracies of each point.

`torch.func.vmap` does this for any network. For fully connected layers, batched matrix products with the examples in
the last dimension, along which biases, activations and softmax then run, are twice as fast on a CPU. So is
cross-entropy written out, since vmap would evaluate it step by step in Python.

Shapes: K points, n examples. Inputs and targets are shared by all points or, with `per_point`, begin with dimension K.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.functional import cross_entropy

from tautune.trainables.grid.single_training import accuracy_of
from tautune.trainables.theory.problem import Problem

ELEMENTWISE = (nn.Tanh, nn.ReLU, nn.Sigmoid, nn.GELU, nn.SiLU)


def outputs_of_each(problem: Problem, pieces: tuple[Tensor, ...], inputs: Tensor, *, per_point: bool) -> Tensor:
    """Returns outputs [K, n, …] for inputs [n, …] or [K, n, …] and parameters [K, …], in the order of the problem's."""
    layers = fully_connected(problem, inputs.ndim - per_point)
    if layers is not None:
        return through(layers, pieces, inputs)[-1].mT

    def outputs(pieces: tuple[Tensor, ...], inputs: Tensor) -> Tensor:
        found: Tensor = functional_call(problem.model, dict(zip(problem.names, pieces, strict=True)), (inputs,))
        return found

    evaluated: Tensor = vmap(outputs, in_dims=(0, 0 if per_point else None))(pieces, inputs)
    return evaluated


def losses_of_each(problem: Problem, outputs: Tensor, targets: Tensor, *, per_point: bool) -> Tensor:
    """Returns losses [K] for outputs [K, n, …] and targets [n, …] or [K, n, …]."""
    if has_written_out_loss(problem) and outputs.ndim == 3:
        logarithms = outputs.transpose(1, 2).log_softmax(dim=1)
        classes = targets.expand(outputs.shape[:2]).unsqueeze(1)
        return -logarithms.gather(1, classes).mean(dim=(1, 2))
    losses: Tensor = vmap(problem.loss, in_dims=(0, 0 if per_point else None))(outputs, targets)
    return losses


def accuracies_of_each(outputs: Tensor, targets: Tensor) -> Tensor:
    """Returns accuracies [K] for outputs [K, n, …] and targets [n, …]; see `accuracy_of`."""
    accuracies: Tensor = vmap(accuracy_of, in_dims=(0, None))(outputs, targets)
    return accuracies


def has_written_out_loss(problem: Problem) -> bool:
    """Returns whether the loss is cross-entropy with classes, which is written out for outputs [K, n, classes]."""
    return problem.loss is cross_entropy and problem.targets_are_classes


def fully_connected(problem: Problem, dimensions: int) -> list[nn.Module] | None:
    """Returns the layers if the network has only linear layers and activations, for inputs [n, features]; else None."""
    if type(problem.model) is not nn.Sequential or not len(problem.model) or dimensions != 2:
        return None
    layers = list(problem.model)
    own = sum(len(list(layer.parameters())) for layer in layers)  # above the network's if layers share some
    plain = all(type(layer) in (nn.Linear, *ELEMENTWISE) for layer in layers)
    first = isinstance(layers[0], nn.Linear)  # an in-place activation must not write to the shared inputs
    return layers if plain and first and own == len(problem.parameters) else None


def through(layers: Sequence[nn.Module], pieces: Sequence[Tensor], inputs: Tensor) -> list[Tensor]:
    """Returns what enters each layer, and what leaves the last one, [K, features, n].

    Args:
        layers: those of `fully_connected`.
        pieces: the parameters [K, …].
        inputs: [n, features] or [K, n, features].
    """
    remaining = iter(pieces)
    passed = [inputs.mT.expand(len(pieces[0]), *inputs.mT.shape[-2:])]
    for layer in layers:
        h = passed[-1]
        if isinstance(layer, nn.Linear):
            weights = next(remaining)
            h = weights @ h if layer.bias is None else torch.baddbmm(next(remaining).unsqueeze(2), weights, h)
        else:
            h = layer(h)
        passed.append(h)
    return passed
