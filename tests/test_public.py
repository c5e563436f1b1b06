"""The front door: the names that `import tautune` promises, and that it costs nothing to open."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import tautune

NAMES = {
    "ArrivingGradients",
    "Stages",
    "Workers",
    "AsynchronousPipeline",
    "AsynchronousTraining",
    "Data",
    "DelayAdaptive",
    "DelayCompensation",
    "DiscardStale",
    "GapAware",
    "Delays",
    "OwnFilter",
    "TrainingLoop",
    "advise",
    "GradientQueue",
    "ImageData",
    "Images",
    "InputError",
    "Interrupted",
    "LoopStudy",
    "PipeMareRescheduling",
    "RandomDelay",
    "RunFailed",
    "Series",
    "ShiftedMomentumSGD",
    "SpikeCompensatedSGD",
    "StabilityMonitor",
    "StabilityStudy",
    "StabilityWarning",
    "StalenessAware",
    "Task",
    "Text",
    "TuningStudy",
    "WeightPrediction",
    "WeightStashing",
    "When",
    "edge",
    "grid",
    "load",
    "max_stable_learning_rate",
    "measure_thresholds",
    "pipeline_delays",
    "read_trace",
    "probe",
    "simulate",
    "sweep",
    "threshold",
    "normalized",
    "transfer",
    "transfer_learning_rate",
    "tune",
}


def test_the_public_names_are_these() -> None:
    assert set(tautune.__all__) == NAMES
    assert set(dir(tautune)) >= NAMES
    for name in NAMES:
        assert getattr(tautune, name).__doc__, name
    assert tautune.__version__


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(tautune.__file__ or "").read_text())
    seen = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tautune.")
        for alias in node.names
    }
    assert seen == {name: f"tautune.{module}.{name}" for name, module in tautune._MODULES.items()}


def test_a_name_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(AttributeError, match="'tautune' has no attribute 'swep'; it has .*sweep"):
        _ = tautune.swep


def test_importing_it_loads_neither_torch_nor_ray_and_touches_nothing(tmp_path: Path) -> None:
    code = (
        "import os; before = dict(os.environ); import sys, tautune; tautune.threshold(8); tautune.advise(2)\n"
        "print(sorted({'torch', 'ray', 'pandas', 'matplotlib'} & sys.modules.keys()), before == dict(os.environ))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"HOME": str(tmp_path)} | _path()
    )
    assert done.stdout.strip() == "[] True"
    assert list(tmp_path.iterdir()) == []


def _path() -> dict[str, str]:
    return {"PYTHONPATH": str(Path(tautune.__file__ or "").parents[1])}


sweep: Any = tautune.sweep  # of types that no type checker lets through
grid: Any = tautune.grid
max_stable_learning_rate: Any = tautune.max_stable_learning_rate
threshold: Any = tautune.threshold


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sweep(None), "study must be a tautune.StabilityStudy, the name of one, or a file, not None"),
        (lambda: sweep("digits", delays=3), "delays must be a list of integers, such as"),
        (lambda: sweep("digits", momentum="a"), "momentum must be at least 0 and below 1, not 'a'"),
        (lambda: grid("digits", learning_rates="a"), "learning_rates must be a count or a list"),
        (lambda: grid("digits", delays="0,1"), "delays must be a list of integers, such as"),
        (lambda: tautune.tune("digits_mlp", trials=0), "trials must be above 0, and finite, not 0"),
        (lambda: max_stable_learning_rate("4", 1), "sharpness must be a finite number above 0, not '4'"),
        (
            lambda: tautune.TrainingLoop(optimizer=3),
            "optimizer must be a name, an optimizer of torch or a filter, not 3",
        ),
        (lambda: tautune.TrainingLoop(delay="3"), "delay must be an integer ≥ 0 (optimizer steps), not '3'"),
        (lambda: tautune.TrainingLoop(remedies=[8]), "a remedy must be a Prediction, a Compensation or a word such as"),
        (lambda: tautune.advise(8, sharpness=-1), "sharpness must be a finite number above 0, not -1"),
        (lambda: threshold(1, None), "momentum must be at least 0 and below 1, not None"),
        (lambda: _measure(device="tpu2"), "device must be cpu, cuda or another of torch's, not 'tpu2'"),
        (lambda: _measure(device="cuda"), "torch sees no CUDA device here"),
    ],
)
def test_arguments_of_absurd_types_are_told_by_name(
    call: Callable[[], object], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ValueError, match=re.escape(words)):
        call()


def _measure(**changes: Any) -> object:
    data = torch.ones(2, 3), torch.ones(2, 1)
    return tautune.measure_thresholds(torch.nn.Linear(3, 1), torch.nn.functional.mse_loss, *data, **changes)
