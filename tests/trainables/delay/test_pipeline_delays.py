from typing import Any

import pytest
import torch
from torch import nn

from tautune.trainables.delay.pipeline import pipeline_delays


def names_in(model: nn.Module, groups: list[dict[str, Any]]) -> list[list[str]]:
    names = {id(p): name for name, p in model.named_parameters()}
    return [[names[id(p)] for p in group["params"]] for group in groups]


def test_a_number_splits_the_children_that_have_parameters() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2, bias=False))
    groups, delays = pipeline_delays(model, 2)
    assert names_in(model, groups) == [["0.weight", "0.bias", "2.weight", "2.bias"], ["4.weight"]]
    assert [group["name"] for group in groups] == ["stage0", "stage1"]
    assert delays == {"stage0": 1, "stage1": 0}
    assert pipeline_delays(model, 3)[1] == {"stage0": 2, "stage1": 1, "stage2": 0}
    assert pipeline_delays(model, 3, schedule="2bw")[1] == {"stage0": 1, "stage1": 1, "stage2": 1}


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.position = nn.Parameter(torch.zeros(4))
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(4, 2, 8) for _ in range(2))
        self.head = nn.Linear(4, 5)


def test_stages_are_modules_and_parameters_or_their_names() -> None:
    model = Encoder()
    by_name, delays = pipeline_delays(model, [["embedding", "position", "layers.0"], "layers.1", "head"])
    as_they_are, _ = pipeline_delays(
        model, [[model.embedding, model.position, model.layers[0]], model.layers[1], model.head]
    )
    assert names_in(model, by_name) == names_in(model, as_they_are)
    assert names_in(model, by_name)[0][:2] == ["embedding.weight", "position"]
    assert delays == {"stage0": 2, "stage1": 1, "stage2": 0}
    assert sum(len(group["params"]) for group in by_name) == len(list(model.parameters()))


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (4, "stages must be between 1 and 3, the model's children that have parameters, not 4"),
        (0, "stages must be between 1 and 3"),
        (3, "stages do not cover the parameters of the model: 'position'"),
        (["embedding", "layers", "head"], "stages do not cover the parameters of the model: 'position'"),
        (["embedding", "layer"], "the model has no module and no parameter 'layer'"),
        ([["embedding", "position"], "layers", ["layers.1", "head"]], "'layers.1.* is in stage 1 and in stage 2"),
        ([["embedding", "position"], "layers", nn.Linear(2, 2)], "stage 2 has a parameter that the model does not"),
        ([[], "layers"], "stage 0 has no parameters"),
    ],
)
def test_stages_that_are_none_are_refused(stages: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pipeline_delays(Encoder(), stages)


def test_tied_weights_belong_to_one_stage() -> None:
    model = Encoder()
    model.head.weight = model.embedding.weight
    with pytest.raises(ValueError, match=r"parameter 'embedding\.weight' is in stage 0 and in stage 1"):
        pipeline_delays(model, [["embedding", "position", "layers"], "head"])
    with pytest.raises(ValueError, match="schedule must be 1f1b or 2bw, not 'gpipe'"):
        pipeline_delays(model, 2, schedule="gpipe")
