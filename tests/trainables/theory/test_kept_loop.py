"""A training loop that was kept as JSON is the same loop."""

import json
from typing import Any

import pytest

from tautune.trainables.theory.delays import Delays
from tautune.trainables.theory.kept_loop import loop_as_json, loop_from_json
from tautune.trainables.theory.loop import TrainingLoop
from tautune.trainables.theory.optimizers import OwnFilter

LOOPS = [
    TrainingLoop("sgd", 4),
    TrainingLoop("nesterov", {0: 1 / 3, 8: 2 / 3}, "predict:2.5"),
    TrainingLoop("dampened-momentum", Delays.stages([2, 1, 0], [0.5, 0.3, 0.2]), ["predict", "compensate:0.123456789"]),
    TrainingLoop("shifted-momentum", 3),
    TrainingLoop("spike-compensation", 3),
    *(TrainingLoop(name, 1) for name in ("adamw", "nadam", "rmsprop")),
    TrainingLoop(OwnFilter((1.9, -0.9), (1, -0.9)), 1),
]


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: type(loop.optimizer).__name__)
def test_a_loop_comes_back_from_its_json(loop: TrainingLoop) -> None:
    back = loop_from_json(json.loads(json.dumps(loop_as_json(loop), allow_nan=False)))
    assert back == loop
    assert back.delay.of_stages == loop.delay.of_stages  # which does not count when delays are compared
    assert back.threshold == loop.threshold


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": {"kind": "Magic"}}, "no training loop can be made of it \\(KeyError: 'Magic'\\)"),
        ({"optimizer": {"kind": "SGD", "speed": 1}}, "no training loop .*unexpected keyword argument 'speed'"),
        ({"optimizer": {"kind": "SGD", "momentum": 1.5}}, "momentum must be at least 0 and below 1, not 1.5"),
        ({"remedies": [{"kind": "Prediction", "horizon": -1}]}, "horizon of a prediction must be at least 0"),
        ({"delays": {"steps": [1]}}, "no training loop can be made of it"),
    ],
)
def test_what_is_no_loop_is_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loop_from_json(loop_as_json(TrainingLoop("sgd", 1)) | changes)
