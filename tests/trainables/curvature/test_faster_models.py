"""What makes a training faster, compilation and half precision, leaves the curvature as it is."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tautune.trainables.curvature.probing import curvature_of
from tests.trainables.curvature.networks import network

pytestmark = pytest.mark.usefixtures("one_thread")
MODEL, BATCHES = network("mlp")


def whole() -> Any:
    return torch.compile(network("mlp")[0])


def in_place() -> nn.Module:
    model, _ = network("mlp")
    model.compile(backend="aot_eager")
    return model


def in_part() -> nn.Module:
    model, _ = network("mlp")
    first, *others = model.children()
    first.compile(backend="aot_eager")
    return nn.Sequential(first, *others)


@pytest.mark.parametrize(
    ("compiled", "loss"),
    [
        (whole, cross_entropy),
        (in_place, cross_entropy),
        (in_part, cross_entropy),
        (lambda: MODEL, torch.compile(cross_entropy, backend="aot_eager")),
    ],
)
def test_what_is_compiled_is_probed_as_it_is_without(compiled: Callable[[], nn.Module], loss: Any) -> None:
    expected = curvature_of(MODEL, cross_entropy, BATCHES).sharpness
    assert curvature_of(compiled(), loss, BATCHES).sharpness == pytest.approx(expected, rel=1e-5)


def test_autocast_around_a_probe_changes_nothing() -> None:
    expected = curvature_of(MODEL, cross_entropy, BATCHES).sharpness
    with torch.autocast("cpu", torch.bfloat16):
        assert curvature_of(MODEL, cross_entropy, BATCHES).sharpness == expected
        assert torch.is_autocast_enabled("cpu")
