"""A damaged model is refused: never predicted with."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tautune.records.errors import InputError
from tautune.runners.model_file import read_model, write_model
from tautune.runners.prediction import predict
from tautune.search_spaces import digits_mlp
from tautune.trainables.supervised.models import build


def model_of(weights: nn.Module) -> dict[str, Any]:
    return {
        "configuration": {"study": "digits_mlp", "data": "digits", "model": "mlp"},
        "config": {"layers": 1, "units": 4},
        "shape": [1, 8, 8],
        "classes": 10,
        "class_names": [],
        "tokens": False,
        "training": {
            "model": weights.state_dict(),
            "epochs": 3,
            "mean": torch.zeros(1, 1, 1),
            "deviation": torch.ones(1, 1, 1),
        },
    }


@pytest.fixture
def model() -> dict[str, Any]:
    torch.manual_seed(0)
    return model_of(build("mlp", (1, 8, 8), 10, {"layers": 1, "units": 4}))


def test_every_damage_is_refused_or_changes_nothing(model: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    write_model(path, model)
    content = path.read_bytes()
    chance = random.Random(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        damaged[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            found = read_model(path)
        except InputError:
            refused += 1
        else:  # it was in the padding between the parts, or in a date
            assert found["config"] == model["config"]
            for name, tensor in model["training"]["model"].items():
                assert torch.equal(found["training"]["model"][name], tensor)
    assert refused > 100


@pytest.mark.parametrize("shape", [[1, 10**5, 10**5], [0], [-1, 8], [1.5], "abc"])
def test_a_shape_that_no_network_has_is_refused_before_one_is_built(
    shape: Any, model: dict[str, Any], tmp_path: Path
) -> None:
    write_model(tmp_path / "model.pt", model | {"shape": shape})
    with pytest.raises(InputError, match="is damaged, or not a model of tautune"):
        read_model(tmp_path / "model.pt")


def test_outputs_that_are_not_finite_are_no_prediction(model: dict[str, Any], tmp_path: Path) -> None:
    weights = model["training"]["model"]
    weights[next(iter(weights))].fill_(float("nan"))
    write_model(tmp_path / "model.pt", model)
    np.save(tmp_path / "image.npy", np.ones((1, 8, 8)))
    with pytest.raises(InputError, match=r"the model's outputs for .*image.npy are not finite"):
        predict(tmp_path, [tmp_path / "image.npy"], model=digits_mlp.STUDY.model)
