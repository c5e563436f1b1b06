"""What an optimizer divides a gradient by at the state that it has now, and the curvature that it sees.

Where each parameter j moves by η_j / P_j times its filtered gradient, and η_j = s_j η, the training loop is that of
`theory/loop.py` with the curvature of S^(1/2) (H + W) S^(1/2), S = diag(s_j / P_j) and the weight decay W:

    SGD               P = 1
    Adam, AdamW       P = (1 - β₁^t) (√(v / (1 - β₂^t)) + ε)      amsgrad: v's largest value
    NAdam             P = √(v / (1 - β₂^t)) + ε
    RMSprop           P = √v + ε                                  centered: √(v - ḡ²) + ε

P is held: it moves slowly while β₂ is near 1. Weight decay that is added to the gradient is curvature; decoupled weight
decay (AdamW) is left out.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from tautune.trainables.theory.optimizers import OwnFilter

Group = dict[str, Any]
State = dict[str, Any]


class Preconditioner(NamedTuple):
    """η, S and W of an optimizer. Vectors [P] are in the order of its parameters that require a gradient."""

    learning_rate: float
    """η, of the first group that has one above 0."""
    scale: Tensor | None
    """√(s_j / P_j) [P]; None where it is 1 everywhere."""
    decay: Tensor | None
    """W's diagonal [P]; None where it is 0."""
    divides: bool = False
    """Whether the optimizer divides by a state of its own."""

    def with_penalty(self, l2: float, parameters: Sequence[Tensor]) -> "Preconditioner":
        """Returns the same with (l2/2) Σ w² over the weights in the loss, without biases and normalization layers."""
        if not l2:
            return self
        own = torch.cat([torch.full_like(p, l2 if p.ndim > 1 else 0.0).detach().reshape(-1) for p in parameters])
        return self._replace(decay=own if self.decay is None else own + self.decay)

    def around(self, product: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """Returns v ↦ S^(1/2) (H + W) S^(1/2) v for v ↦ H v."""

        def multiply(v: Tensor) -> Tensor:
            inner = v if self.scale is None else self.scale * v
            bent = product(inner)
            if self.decay is not None:
                bent = bent + self.decay * inner
            return bent if self.scale is None else self.scale * bent

        return multiply


def preconditioner(optimizer: Optimizer, parameters: Sequence[Tensor]) -> Preconditioner:
    """Returns what an optimizer of torch does to a gradient now.

    Args:
        optimizer: without a delay or a remedy around it.
        parameters: those of its groups that count, in their order.

    Raises:
        ValueError: it has no state yet, a state that is not finite, or no learning rate above 0.
    """
    group_of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    groups = [group_of[id(p)] for p in parameters]
    rates = [float(group["lr"]) for group in groups]
    η = next((rate for rate in rates if rate > 0), 0.0)
    if not η:
        raise ValueError("every learning rate of the optimizer is 0: there is no step whose stability could be asked")
    if any(group.get("maximize") for group in groups):
        raise ValueError("the optimizer maximizes: its loop descends nowhere")
    name = type(optimizer).__name__
    scales, decays = [], []
    if not _has_state(optimizer, parameters):
        raise ValueError(f"{name} has no state yet, and divides by it: make a step before the curvature is asked for")
    for p, group, rate in zip(parameters, groups, rates, strict=True):
        scales.append(torch.full_like(p, rate / η).detach() / _divisor(optimizer, p, group))
        decoupled = name == "AdamW" or group.get("decoupled_weight_decay", False)
        decays.append(torch.full_like(p, 0.0 if decoupled else float(group.get("weight_decay", 0.0))).detach())
    scale, decay = (torch.cat([part.reshape(-1) for part in parts]) for parts in (scales, decays))
    if not bool(scale.isfinite().all()):
        raise ValueError(f"the state of {name} is not finite: some of what it divides by is 0, infinite or NaN")
    plain = bool((scale == 1).all())
    return Preconditioner(η, None if plain else scale.sqrt(), decay if bool(decay.any()) else None, name in DIVISORS)


def is_ready(optimizer: Optimizer, parameters: Sequence[Tensor]) -> bool:
    """Returns whether it has a learning rate above 0, and the state that it divides by."""
    return any(float(group["lr"]) > 0 for group in optimizer.param_groups) and _has_state(optimizer, parameters)


def divides(optimizer: Optimizer) -> bool:
    """Returns whether the optimizer divides by a state of its own."""
    return type(optimizer).__name__ in DIVISORS


def _has_state(optimizer: Optimizer, parameters: Sequence[Tensor]) -> bool:
    return not divides(optimizer) or any(optimizer.state.get(p) for p in parameters)


def filter_now(optimizer: Optimizer) -> Any:
    """Returns what stands for the optimizer's filter in a `TrainingLoop`: itself, or NAdam's momentum as it is now.

    torch's NAdam adds a gradient with (1-μ[t]) / (1-Π μ) and its average with μ[t+1] / (1-Π μ μ[t+1]), where μ rises
    from β₁/2 to β₁, half of the way in 4,250 steps.
    """
    if type(optimizer).__name__ != "NAdam":
        return optimizer
    state = next((state for state in optimizer.state.values() if state), None)
    if state is None:
        return optimizer
    options = optimizer.param_groups[0]
    β, ψ, t, product = options["betas"][0], options["momentum_decay"], float(state["step"]), float(state["mu_product"])
    μ, following = (β * (1 - 0.5 * 0.96 ** (step * ψ)) for step in (t, t + 1))
    fresh, averaged = (1 - μ) / (1 - product), following / (1 - product * following)
    return OwnFilter((fresh + averaged * (1 - β), -fresh * β), (1.0, -β))


def _divisor(optimizer: Optimizer, p: Tensor, group: Group) -> Tensor:
    """Returns P of one parameter, in its shape; infinite where it was never moved."""
    divide = DIVISORS.get(type(optimizer).__name__)
    if divide is None:
        return torch.ones_like(p)
    state = optimizer.state.get(p)
    try:
        return divide(group, state).detach() if state else torch.full_like(p, torch.inf).detach()
    except KeyError as error:
        name = type(optimizer).__name__
        raise ValueError(f"the state of {name} has no {error.args[0]}: it is that of another optimizer") from None


def _adam(group: Group, state: State) -> Tensor:
    (β1, β2), t = group["betas"], float(state["step"])
    v: Tensor = state["max_exp_avg_sq"] if group.get("amsgrad") else state["exp_avg_sq"]
    P: Tensor = (1 - float(β1) ** t) * ((v / (1 - float(β2) ** t)).sqrt() + float(group["eps"]))
    return P


def _nadam(group: Group, state: State) -> Tensor:
    v: Tensor = state["exp_avg_sq"]
    P: Tensor = (v / (1 - float(group["betas"][1]) ** float(state["step"]))).sqrt() + float(group["eps"])
    return P


def _rmsprop(group: Group, state: State) -> Tensor:
    v: Tensor = state["square_avg"]
    if group["centered"]:
        v = v - state["grad_avg"].square()
    return v.sqrt() + float(group["eps"])


DIVISORS: dict[str, Callable[[Group, State], Tensor]] = {
    "Adam": _adam,
    "AdamW": _adam,
    "NAdam": _nadam,
    "RMSprop": _rmsprop,
}
"""What torch's optimizers divide by, by the names of their classes; the others are known not to divide."""
