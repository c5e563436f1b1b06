from typing import Any

import pytest
import torch
from torch import nn

from tautune.trainables.supervised.models import MODELS, build, cnn, mlp, resnet, vgg11


@pytest.mark.parametrize(
    ("name", "shape", "settings"),
    [
        ("mlp", (1, 8, 8), {"layers": 0}),
        ("mlp", (3, 5, 7), {"layers": 3, "units": 20, "dropout": 0.3, "batch_norm": True, "activation": "tanh"}),
        ("mlp", (1, 8, 8), {"layers": 2, "units": (30, 20), "initialization": "orthogonal"}),
        ("cnn", (1, 8, 8), {"layers": 4, "channels": 4}),
        ("cnn", (3, 32, 32), {"layers": 3, "dropout": 0.5, "batch_norm": True, "initialization": "kaiming_normal"}),
        ("vgg11", (3, 32, 32), {}),
        ("resnet", (3, 32, 32), {"depth": 8}),
        ("resnet", (1, 28, 28), {"depth": 14, "channels": 8}),
    ],
)
def test_images_in_logits_out_and_every_weight_learns(name: str, shape: tuple[int, ...], settings: Any) -> None:
    model = MODELS[name](shape, 7, **settings)
    outputs = model(torch.randn(4, *shape))
    assert outputs.shape == (4, 7)
    outputs.square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_sizes_are_the_published() -> None:
    assert count(resnet((3, 32, 32), 10, depth=20)) == pytest.approx(0.27e6, rel=0.02)  # He et al. 2016, table 6
    assert count(resnet((3, 32, 32), 10, depth=56)) == pytest.approx(0.85e6, rel=0.02)
    assert count(vgg11((3, 32, 32), 10, batch_norm=False)) == 9_225_610
    assert count(mlp((1, 28, 28), 10, layers=2, units=(300, 100))) == 266_610  # LeCun et al. 1998
    assert count(cnn((1, 28, 28), 10, layers=2, channels=16, units=128)) == 160 + 4640 + 32 * 49 * 128 + 128 + 1290


def test_hyperparameters_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="activation must be one of relu, tanh, .*, not 'rely'"):
        mlp((1, 8, 8), 10, activation="rely")
    with pytest.raises(ValueError, match="initialization must be one of"):
        cnn((1, 8, 8), 10, initialization="he")
    with pytest.raises(ValueError, match="depth must be 6n"):
        resnet((3, 32, 32), 10, depth=21)
    with pytest.raises(ValueError, match=r"vgg11 takes images of shape \(3, 32, 32\)"):
        vgg11((1, 28, 28), 10)


def test_numbered_hyperparameters_are_the_layers_of_one() -> None:
    model = build("mlp", (1, 8, 8), 10, {"units_2": 20, "layers": 2, "units_1": 30})
    assert [m.out_features for m in model.modules() if isinstance(m, nn.Linear)] == [30, 20, 10]
    with pytest.raises(ValueError, match="units must be 3 widths for 3 layers, not 1"):
        build("mlp", (1, 8, 8), 10, {"layers": 3, "units_1": 30})


def test_a_name_of_the_model_that_ends_in_a_number_is_its_own() -> None:
    def model(shape: tuple[int, ...], classes: int, *, width: int = 1, width_2: int = 1) -> nn.Module:
        return nn.Linear(width, width_2)

    built = build(model, (1,), 2, {"width": 3, "width_2": 4})
    assert isinstance(built, nn.Linear)
    assert (built.in_features, built.out_features) == (3, 4)
