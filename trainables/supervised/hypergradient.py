"""The validation loss of a training as a function of its hyperparameters, with its gradient.

The training is unrolled: every step is kept, and reverse differentiation goes through all of them (Maclaurin et al.,
2015, arXiv 1502.03492), those of late gradients included. It takes the steps that `SupervisedTraining` takes, with the
same weights, batches and order. torch alone differentiates. Of the libraries for it, TorchOpt's last release is of 2023
and higher's of 2021, optax is for JAX, and torch's own optimizers (`differentiable=True`) change in place the weights
that a network's graph has kept.

Symbols: w weights, v velocity, η learning rate, m momentum, τ delay, g gradient of a step.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor, nn
from torch.func import functional_call

from tautune.trainables.supervised.gradient import augmented, normalizes_batches
from tautune.trainables.supervised.penalties import penalized, penalty
from tautune.trainables.supervised.schedules import factor
from tautune.trainables.supervised.supervised_training import SupervisedTraining
from tautune.trainables.supervised.training import DIVERGED_LOSS

PASSES = 3
"""Cost of a training with its hypergradient, as a multiple of the training's gradients: each of them, and a product of
its Hessian with a vector, which costs as much as two."""

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Hypergradient:
    """What an unrolled training came to."""

    loss: float
    """Mean loss of the validation examples; infinite if the training diverged."""
    gradient: dict[str, float]
    """Derivative of that loss with respect to each hyperparameter; empty if the training diverged, or was not
    differentiated."""


def hypergradient(
    training: SupervisedTraining, values: Mapping[str, float], *, below: float = math.inf
) -> Hypergradient:
    """Trains to the end, and differentiates the validation loss with respect to some hyperparameters.

    Args:
        training: one that has not begun; its model is left as it is, and its order of the examples is used up.
        values: of `DIFFERENTIABLE`, those to differentiate by; all others are the training's own, its optimizer one of
            `UNROLLED`.
        below: loss from which it is not differentiated, which saves two thirds of the time.
    """
    dtype = next(training.model.parameters()).dtype
    θ = {name: torch.tensor(value, dtype=dtype, requires_grad=True) for name, value in values.items()}
    weights = unrolled(training, θ)
    loss = None if weights is None else validation_loss(training, weights)
    if loss is None or not bool(loss <= DIVERGED_LOSS):
        return Hypergradient(math.inf, {})
    if not loss.item() < below:
        return Hypergradient(loss.item(), {})
    gradients = torch.autograd.grad(loss, list(θ.values()), allow_unused=True) if θ else ()
    found = {name: 0.0 if g is None else g.item() for name, g in zip(θ, gradients, strict=True)}
    if not all(map(math.isfinite, found.values())):
        return Hypergradient(math.inf, {})
    return Hypergradient(loss.item(), found)


def mean_of(found: Sequence[Hypergradient]) -> Hypergradient:
    """Returns the mean over several trainings; if one diverged, all did."""
    if not all(one.gradient for one in found):
        return Hypergradient(math.inf, {})
    loss = fmean(one.loss for one in found)
    return Hypergradient(loss, {name: fmean(one.gradient[name] for one in found) for name in found[0].gradient})


def unrolled(training: SupervisedTraining, θ: Mapping[str, Tensor]) -> Weights | None:
    """Returns the weights after the training, which depend on θ differentiably; None if it diverged."""
    config, model = training.config, training.model
    model.train()
    shrunk = [name for name, weight in model.named_parameters() if any(weight is p for p in penalized(model))]
    w: Weights = {name: weight.detach().clone().requires_grad_() for name, weight in model.named_parameters()}
    v: Weights = {}
    late: deque[Weights] = deque()
    l1, l2 = _weight("l1", config.l1, θ), _weights("l2", config.l2, θ)
    for epoch in range(training.horizon):
        drop_single = normalizes_batches(model)
        examples = training.source.training_pass(
            config.batch_size, training.order, epoch=epoch, drop_single=drop_single
        )
        share = 1 / training.horizon
        for step, part in enumerate(examples.batches):
            now, one = epoch * share + share * step / (examples.number or math.inf), share / (examples.number or 1)
            inputs = training.normalize(augmented(part.pixels, config, training.order))
            error = _error(training, w, inputs, part.targets)
            if not bool(error <= DIVERGED_LOSS):
                return None
            g = torch.autograd.grad(
                error + penalty([w[name] for name in shrunk], l1, l2), list(w.values()), create_graph=True
            )
            late.append(dict(zip(w, g, strict=True)))
            if len(late) > int(config.delay):
                scale = factor(config.schedule, now, warmup=config.warmup, step=one)
                w, v = _stepped(training, θ, w, v, late.popleft(), scale)
    return w


def _weight(name: str, value: float, θ: Mapping[str, Tensor]) -> Tensor:
    return θ.get(name, torch.tensor(value))


def _weights(name: str, value: float | tuple[float, ...], θ: Mapping[str, Tensor]) -> Tensor | tuple[Tensor, ...]:
    """Returns one weight, or those of each layer."""
    if isinstance(value, tuple):
        return tuple(_weight(f"{name}_{number}", own, θ) for number, own in enumerate(value, 1))
    return _weight(name, value, θ)


def _stepped(
    training: SupervisedTraining, θ: Mapping[str, Tensor], w: Weights, v: Weights, g: Weights, scale: float
) -> tuple[Weights, Weights]:
    """Returns the weights and the velocity after one step of SGD as torch has it: v ← m v + g, w ← w − η v."""
    config = training.config
    η = θ.get("learning_rate", config.learning_rate) * scale
    if config.optimizer == "sgd":
        return {name: w[name] - η * g[name] for name in w}, v
    m = θ.get("momentum", config.momentum)
    v = {name: m * v[name] + g[name] for name in w} if v else g
    if config.optimizer == "nesterov":
        return {name: w[name] - η * (g[name] + m * v[name]) for name in w}, v
    return {name: w[name] - η * v[name] for name in w}, v


def validation_loss(training: SupervisedTraining, weights: Weights) -> Tensor:
    """Returns the mean loss of the validation examples, without dropout."""
    training.model.eval()
    parts = list(training.source.validation())
    losses = [_error(training, weights, training.normalize(p.pixels), p.targets) * len(p) for p in parts]
    return torch.stack(losses).sum() / sum(map(len, parts))


def _error(training: SupervisedTraining, weights: Weights, inputs: Tensor, targets: Tensor) -> Tensor:
    task, outputs = training.task, functional_call(training.model, weights, (inputs,))
    return task.loss(task.shaped(outputs, targets), training.scale(targets))


def kept_bytes(model: nn.Module, steps: int) -> int:
    """Returns the memory in bytes that the weights of all steps take: weights, velocities, gradients, and their own."""
    return steps * 4 * sum(p.numel() * p.element_size() for p in model.parameters())
