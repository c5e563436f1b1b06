"""`tautune.measure_thresholds` on networks of a user's own, and what it refuses."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

import tautune

N = 24
GENERATOR = torch.Generator().manual_seed(0)
INPUTS = torch.randn(N, 3, generator=GENERATOR)
TARGETS = INPUTS.sum(dim=1, keepdim=True)


def linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def test_a_model_that_is_not_ours_is_measured_and_left_as_it_was() -> None:
    model = linear()
    before, random, threads = model.weight.detach().clone(), torch.get_rng_state(), torch.get_num_threads()
    found = tautune.measure_thresholds(model, mse_loss, INPUTS, TARGETS, delays=np.arange(3))
    assert torch.equal(model.weight, before)
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.get_num_threads() == threads
    design = torch.cat([INPUTS, torch.ones(N, 1)], dim=1).double()
    assert found.sharpness == pytest.approx(float(torch.linalg.eigvalsh(2 * design.T @ design / N)[-1]), rel=1e-6)
    frame = found.to_frame()
    assert frame["delay"].tolist() == [0, 1, 2]
    assert frame["relative_error"].abs().max() < 1e-3
    assert found.study == "Linear"


def half(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().sum()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"delays": []}, "delays must hold at least one delay"),
        ({"delays": [-1]}, "delays must be integers ≥ 0 and below a million; -1 is not"),
        ({"delays": "12x"}, "delays must be a list of integers"),
        ({"budget": 2.5}, "budget must be an integer, not 2.5"),
        ({"resolution": "a"}, "resolution must be a number, not 'a'"),
        ({"momentum": 2.0}, "momentum must be at least 0 and below 1, not 2.0"),
        ({"mini_batch": 0}, "mini_batch must be between 1 and the 24 examples of Linear, not 0"),
        ({"seeds": 5}, "seeds must be combined with mini-batches"),
        ({"tolerance": 2.0}, "tolerance must be between 1e-12 and 0.1, not 2.0"),
        ({"budget": 0}, "budget must be at least 1, not 0"),
        ({"l2": -1.0}, "l2 must be at least 0 and finite, not -1.0"),
        ({"precision": torch.float16}, "precision must be torch.float64 or torch.float32"),
        ({"targets": TARGETS[:, 0]}, "the loss does not take outputs of shape"),
        ({"targets": TARGETS[:5]}, "there are 24 inputs and 5 targets"),
        ({"loss": half}, "sum"),
        ({"inputs": INPUTS[:0], "targets": TARGETS[:0]}, "there are no examples"),
        ({"inputs": INPUTS / 0}, "are not finite"),
    ],
)
def test_what_cannot_be_used_is_an_input_error(changes: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"loss": mse_loss, "inputs": INPUTS, "targets": TARGETS, "delays": [0]}
    with pytest.raises(tautune.InputError, match=said):
        tautune.measure_thresholds(linear(), **given | changes)


@pytest.mark.parametrize("bad", [{"delays": [-1]}, {"momentum": 1.5}, {"device": "tpu"}])
def test_runs_refuse_with_the_same_error(bad: dict[str, Any]) -> None:
    for run in (tautune.sweep, tautune.grid):
        with pytest.raises(tautune.InputError, match="must be"):
            run("quadratic", **bad)


def test_a_minimum_at_the_origin_is_measured_at_a_length_of_its_own() -> None:
    found = tautune.measure_thresholds(
        nn.Linear(3, 2, bias=False),
        lambda outputs, targets: outputs.square().mean(),
        INPUTS,
        TARGETS,
        delays=[0, 2],
        l2=0.1,
    )
    assert found.to_frame()["relative_error"].abs().max() < 1e-3


class WithUnusedHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(3, 1), nn.Linear(3, 3, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.body(inputs)
        return outputs


def test_a_head_that_is_not_used_is_named_though_l2_pulls_at_it() -> None:
    with pytest.raises(tautune.InputError, match=r"the loss does not depend on head.weight"):
        tautune.measure_thresholds(WithUnusedHead(), mse_loss, INPUTS, TARGETS, delays=[0], l2=0.1)


def test_weights_of_classes_go_along_with_the_precision() -> None:
    model, classes = nn.Linear(3, 2), (TARGETS[:, 0] > 0).long()
    loss = nn.CrossEntropyLoss(weight=torch.ones(2))
    assert len(tautune.measure_thresholds(model, loss, INPUTS, classes, delays=[0], l2=0.1).points) == 1
