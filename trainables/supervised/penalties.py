"""The penalties on the weights of a network: L1, and L2 for all of them or for each layer by itself."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tautune.trainables.supervised.hyperparameters import TrainingConfig


def penalized(model: nn.Module) -> list[nn.Parameter]:
    """Returns the weights that l1 and l2 act on: all but biases and those of normalization layers."""
    norms = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.modules.batchnorm._NormBase)
    left_out = {id(p) for module in model.modules() if isinstance(module, norms) for p in module.parameters()}
    return [p for p in model.parameters() if p.ndim > 1 and id(p) not in left_out]


def check_penalties(model: nn.Module, config: TrainingConfig) -> None:
    """Raises ValueError if there is one l2 for each layer, and another number of layers."""
    layers = len(penalized(model))
    if isinstance(config.l2, tuple) and len(config.l2) != layers:
        names = f"l2_1 to l2_{layers}" if layers > 1 else "l2_1" if layers else "none"
        raise ValueError(f"the model has {layers} layers with weights, so there must be {names}, not {len(config.l2)}")


def penalty(
    weights: Sequence[Tensor], l1: Tensor | float, l2: Tensor | float | Sequence[Tensor | float]
) -> Tensor | float:
    """Returns l1 Σ|w| + l2 Σw²/2; with one l2 for each of the weights, Σ l2ᵢ Σwᵢ²/2."""
    total: Tensor | float = 0.0
    if l1:
        total = total + l1 * torch.stack([w.abs().sum() for w in weights]).sum()
    if isinstance(l2, Sequence):
        total = total + sum(own / 2 * w.square().sum() for own, w in zip(l2, weights, strict=True))
    elif l2:
        total = total + l2 / 2 * torch.stack([w.square().sum() for w in weights]).sum()
    return total
