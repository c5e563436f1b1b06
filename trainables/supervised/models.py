"""Networks for images, by name and hyperparameters. Shapes: inputs float [n, C, H, W], outputs logits [n, classes]."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from tautune.trainables.supervised.hyperparameters import WINDOW, check_network_values, gathered, names_of
from tautune.trainables.supervised.sequence_models import causal_transformer, lstm, transformer

Shape = tuple[int, ...]
"""The shape of one input: (C, H, W) for images."""
Model = Callable[..., nn.Module]
"""(shape, classes, **hyperparameters) → an untrained network, which maps [n, *shape] to logits [n, classes]."""
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}
INITIALIZATIONS: dict[str, Callable[..., object]] = {
    "xavier_uniform": nn.init.xavier_uniform_,
    "xavier_normal": nn.init.xavier_normal_,
    "kaiming_uniform": nn.init.kaiming_uniform_,
    "kaiming_normal": nn.init.kaiming_normal_,
    "orthogonal": nn.init.orthogonal_,
}


def mlp(
    shape: Shape,
    classes: int,
    *,
    layers: int = 1,
    units: int | tuple[int, ...] = 128,
    activation: str = "relu",
    initialization: str | None = None,
    dropout: float = 0.0,
    batch_norm: bool = False,
) -> nn.Module:
    """Builds a fully connected network of `layers` hidden layers, each of `units`, or of the widths in `units`."""
    check_network_values(layers=layers, units=units, dropout=dropout, batch_norm=batch_norm)
    check_network_values(activation=activation, initialization=initialization)
    widths = (units,) * layers if isinstance(units, int) else tuple(units)
    if len(widths) != layers:
        raise ValueError(f"units must be {layers} widths for {layers} layers, not {len(widths)}")
    inputs = math.prod(shape)
    blocks: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise((inputs, *widths)):
        blocks.append(nn.Linear(before, after))
        if batch_norm:
            blocks.append(nn.BatchNorm1d(after))
        blocks.append(ACTIVATIONS[activation]())
        if dropout:
            blocks.append(nn.Dropout(dropout))
    model = nn.Sequential(*blocks, nn.Linear((inputs, *widths)[-1], classes))
    return _initialized(model, initialization)


def cnn(
    shape: Shape,
    classes: int,
    *,
    layers: int = 2,
    channels: int = 16,
    units: int = 128,
    activation: str = "relu",
    initialization: str | None = None,
    dropout: float = 0.0,
    batch_norm: bool = False,
) -> nn.Module:
    """Builds `layers` 3×3 convolutions, each with twice the channels of the one before, and a hidden layer of `units`.

    Each convolution is followed by 2×2 pooling as long as there are at least 2 pixels a side.
    """
    check_network_values(layers=layers, channels=channels, units=units, dropout=dropout, batch_norm=batch_norm)
    check_network_values(activation=activation, initialization=initialization)
    depth, height, width = _image(shape)
    blocks: list[nn.Module] = []
    for layer in range(layers):
        wide = channels * 2**layer
        blocks.append(nn.Conv2d(depth, wide, 3, padding=1))
        if batch_norm:
            blocks.append(nn.BatchNorm2d(wide))
        blocks.append(ACTIVATIONS[activation]())
        if min(height, width) >= 2:
            blocks.append(nn.MaxPool2d(2))
            height, width = height // 2, width // 2
        depth = wide
    blocks += [nn.Flatten(), nn.Linear(depth * height * width, units), ACTIVATIONS[activation]()]
    if dropout:
        blocks.append(nn.Dropout(dropout))
    return _channels_last(_initialized(nn.Sequential(*blocks, nn.Linear(units, classes)), initialization))


def vgg11(shape: Shape, classes: int, *, dropout: float = 0.0, batch_norm: bool = True) -> nn.Module:
    """Builds VGG-11 for 32×32 images: torchvision's convolutions, and one linear layer on the 512 features."""
    check_network_values(dropout=dropout, batch_norm=batch_norm)
    if shape != (3, 32, 32):
        raise ValueError(f"vgg11 takes images of shape (3, 32, 32), not {shape}")
    from torchvision.models.vgg import cfgs, make_layers  # takes two seconds

    head = [nn.Flatten(), nn.Dropout(dropout), nn.Linear(512, classes)]
    return _channels_last(nn.Sequential(make_layers(cfgs["A"], batch_norm=batch_norm), *head))


def resnet(shape: Shape, classes: int, *, depth: int = 20, channels: int = 16) -> nn.Module:
    """Builds the residual network of He et al. (2016) for CIFAR: 6n+2 layers, three stages of torchvision's blocks."""
    check_network_values(depth=depth, channels=channels)
    from torchvision.models.resnet import BasicBlock

    inputs, _, _ = _image(shape)
    blocks: list[nn.Module] = [nn.Conv2d(inputs, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)]
    blocks.append(nn.ReLU())
    before = channels
    for stage in range(3):
        wide = channels * 2**stage
        for n in range((depth - 2) // 6):
            stride = 2 if stage and not n else 1
            shortcut = None
            if before != wide:
                shortcut = nn.Sequential(nn.Conv2d(before, wide, 1, stride, bias=False), nn.BatchNorm2d(wide))
            blocks.append(BasicBlock(before, wide, stride, shortcut))
            before = wide
    model = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))
    return _channels_last(model)


def _initialized(model: nn.Module, initialization: str | None) -> nn.Module:
    """Draws the weights anew and sets the biases to zero, unless no initialization is named."""
    if initialization is not None:
        fill = INITIALIZATIONS[initialization]
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                fill(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
    return model


def _channels_last(model: nn.Module) -> nn.Module:
    """Returns the model in the memory layout in which convolutions are fast.

    On a CPU a training step then takes two thirds to four fifths as long.
    """
    return model.to(memory_format=torch.channels_last)


def _image(shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ValueError(f"a convolutional network takes images of shape (C, H, W), not {shape}")
    channels, height, width = shape
    return channels, height, width


MODELS: dict[str, Model] = {
    **{"mlp": mlp, "cnn": cnn, "vgg11": vgg11, "resnet": resnet},
    **{"lstm": lstm, "transformer": transformer, "causal_transformer": causal_transformer},
}


def build(
    model: str | Model,
    shape: Shape,
    outputs: int,
    hyperparameters: dict[str, Any],
    *,
    vocabulary: int | None = None,
) -> nn.Module:
    """Builds the network of that name, or the one that a user's function returns.

    The hyperparameters units_1, units_2 … are the entries of one, units, which has a value for each layer. A function
    that has a parameter `vocabulary` is told how many token ids there are, where it is not among the hyperparameters.

    Raises:
        ValueError: a built-in network cannot have these hyperparameters.
    """
    function = MODELS[model] if isinstance(model, str) else model
    names = names_of(function)
    if vocabulary is not None and "vocabulary" in names:
        hyperparameters = {"vocabulary": vocabulary} | hyperparameters
    if not {WINDOW, "**"} & set(names):
        hyperparameters = {name: value for name, value in hyperparameters.items() if name != WINDOW}
    return function(shape, outputs, **gathered(hyperparameters, names))
