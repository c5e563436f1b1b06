from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tautune.search_spaces.stability_study import StabilityStudy

DATA = (torch.ones(6, 4), torch.arange(6) % 3)


def study(**changes: Any) -> StabilityStudy:
    given: dict[str, Any] = {"name": "mine", "data": DATA, "model": lambda: nn.Linear(4, 3), "loss": cross_entropy}
    return StabilityStudy(**given | changes)


def test_data_may_be_a_pair_or_a_function_and_a_model_a_network_or_a_function() -> None:
    torch.manual_seed(3)
    network = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
    problem = study(data=lambda: DATA, model=network).problem()
    problem.move_to(problem.point + 1)
    assert network.training
    again = study(model=network).problem()
    torch.testing.assert_close(again.point, torch.cat([p.reshape(-1) for p in network.parameters()]).double())
    assert not again.model.training
    assert again.inputs.dtype == again.point.dtype == torch.float64
    assert torch.equal(study(model=network).start(1), again.point)


def test_a_seed_is_a_start() -> None:
    state = torch.get_rng_state()
    first, second = study().start(0), study().start(1)
    assert torch.equal(first, study().problem().point)
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)
    assert study(precision=torch.float32).start(0).dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": 3}, "model must be a function that returns a torch Module, or one, not 3"),
        ({"loss": None}, "loss must be a function of outputs and targets, not None"),
        ({"l2": -1.0}, "l2 must be at least 0 and finite, not -1.0"),
        ({"precision": torch.float16}, "precision must be torch.float64 or torch.float32, not torch.float16"),
    ],
)
def test_fields_that_are_wrong_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        study(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": DATA[0]}, "the data of mine must be a pair .inputs, targets., not Tensor"),
        ({"model": lambda: 3}, "the model of mine must return a torch Module, not int"),
    ],
)
def test_what_a_study_returns_is_checked(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        study(**change).problem()


def test_inputs_of_every_kind() -> None:
    def model() -> nn.Module:
        return nn.Sequential(nn.Embedding(7, 2), nn.Flatten(), nn.Linear(10, 3))

    tokens: Tensor = torch.randint(7, (6, 5))
    problem = study(data=(tokens, DATA[1]), model=model).problem()
    assert problem.inputs.dtype == torch.int64
    assert problem.value_and_gradient(problem.point)[0] > 0
