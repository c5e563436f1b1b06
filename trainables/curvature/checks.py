"""Checks a user's model, loss and batches before any curvature is believed; each fault is told in one line."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from tautune.trainables.curvature.batch_loss import BatchLoss, NotFiniteError
from tautune.trainables.theory.problem import differentiable, twice_differentiable
from tautune.trainables.theory.second_derivatives import check_seen, check_twice

TOLERANCE = {torch.float64: 1e-9}
"""Largest relative difference of two gradients of one batch; in other precisions 1e-4: above rounding errors."""


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Puts the model into eval mode inside, but for batch norm: dropout is off.

    Batch norm that is in train mode goes on to divide by each batch's own statistics, as the training whose curvature
    it is does. Its running ones would make another loss: an optimizer that divides has never seen a gradient of a bias
    in front of it, and takes the curvature there for a million times that of the training.

    Autocast is off, too: what surrounds the model would compute its eigenvectors in half precision as well. And nothing
    is compiled, since what was cannot be differentiated twice.

    Each module is in its own mode again afterwards, its running statistics and torch's random numbers are as they were.
    """
    training = [module for module in model.modules() if module.training]
    norms = [module for module in training if isinstance(module, _NormBase) and module.track_running_stats]
    kept = [(norm, norm.running_mean, norm.running_var) for norm in norms]
    device = next(model.parameters()).device
    with ExitStack() as inside:
        inside.enter_context(torch.random.fork_rng(devices={p.device for p in model.parameters() if p.is_cuda}))
        inside.enter_context(torch.autocast(device.type, enabled=False))
        inside.enter_context(torch.compiler.set_stance("force_eager"))
        model.eval()
        try:
            for norm in norms:
                norm.track_running_stats, norm.running_mean, norm.running_var = False, None, None
            yield
        finally:
            for norm, mean, variance in kept:
                norm.track_running_stats, norm.running_mean, norm.running_var = True, mean, variance
            for module in training:
                module.training = True


def check_weights(model: nn.Module) -> None:
    """Raises ValueError if a weight is not finite, or a buffer has a NaN: masks have infinities."""
    for name, weight in model.named_parameters():
        if weight.is_complex():
            raise ValueError(f"the model has complex numbers in {name}; they must be real")
        _refuse(~weight.isfinite(), name, "not finite")
    for name, buffer in model.named_buffers():
        if buffer.is_floating_point():
            _refuse(buffer.isnan(), name, "NaN")


def _refuse(wrong: Tensor, name: str, what: str) -> None:
    if count := int(wrong.sum()):
        one = "is" if count == 1 else "are"
        raise ValueError(f"{count} of the values in the model's {name} {one} {what}")


def check_loss(loss: BatchLoss) -> None:
    """Raises ValueError if model or loss fail on the first batch, or differ when they are evaluated once more.

    It costs three gradients of that batch.
    """
    batch = loss.first()
    states = _random_states(loss.device)
    first, gradient = _gradient(loss, batch)
    drawn = not all(map(torch.equal, states, _random_states(loss.device)))
    second, again = _gradient(loss, batch)
    tolerance = TOLERANCE.get(gradient.dtype, 1e-4)
    same = abs(second - first) <= tolerance * abs(first)
    if not (same and float((again - gradient).norm()) <= 10 * tolerance * float(gradient.norm())):
        why = (
            "it draws random numbers in eval mode: a dropout outside a module needs training=self.training"
            if drawn
            else "remove random numbers and changing state from `forward`"
        )
        raise ValueError(
            f"the model is not deterministic: two evaluations of one batch gave a loss of {first:.6g} and of "
            f"{second:.6g}, or different gradients; {why}"
        )
    _check_twice(loss, batch)


def _random_states(device: torch.device) -> list[Tensor]:
    """Returns where the random numbers are that a model on this device may draw."""
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states


def _gradient(loss: BatchLoss, batch: Any) -> tuple[float, Tensor]:
    with torch.enable_grad(), differentiable(loss.model, loss.device):
        value = _value(loss, batch)
        check_seen(value)
        gradients = torch.autograd.grad(value, loss.parameters, materialize_grads=True)
    if any(gradient.is_sparse for gradient in gradients):
        raise ValueError("the model has sparse gradients, which have no second derivative: set sparse=False")
    if not value.isfinite():
        raise NotFiniteError(f"the loss is {value.item()} on the first batch: it must be finite")
    return value.item(), torch.cat([gradient.reshape(-1) for gradient in gradients])


def _value(loss: BatchLoss, batch: Any) -> Tensor:
    try:
        _, value = loss.value_of(batch)
    except (Exception, SystemExit) as error:
        if isinstance(error, ValueError) and "a batch must be" in str(error):
            raise
        line = str(error).strip().partition("\n")[0][:200]
        raise ValueError(f"model and loss do not take the first batch ({type(error).__name__}: {line})") from error
    if not isinstance(value, Tensor) or value.ndim:
        what = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"the loss must return one number, the mean over the batch's examples, not {what}")
    if not value.requires_grad:
        raise ValueError("the loss does not depend on the parameters that are trained: it, or the model, detaches them")
    return value


def _check_twice(loss: BatchLoss, batch: Any) -> None:
    """Raises ValueError if a function of the user's has a first derivative only."""
    with torch.enable_grad(), twice_differentiable(loss.model, loss.device):
        check_twice(lambda: _value(loss, batch), loss.parameters)


def trained(model: nn.Module, groups: Iterable[dict[str, Any]]) -> list[Tensor]:
    """Returns the parameters of an optimizer's groups that require a gradient, in the order of the groups.

    Raises:
        ValueError: there is none, or one of them is not the model's.
    """
    own = {id(parameter) for parameter in model.parameters()}
    given = [p for group in groups for p in group["params"]]
    if not given or not any(id(p) in own for p in given):
        raise ValueError("the optimizer's parameters are not the model's: give the model that it trains")
    found = [p for p in given if p.requires_grad and id(p) in own]
    if not found:
        raise ValueError("none of the model's parameters requires a gradient: there is nothing to train")
    return found
