"""The front door: the names that `import tautune` promises, and that it costs nothing to open."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tautune

NAMES = {
    "GradientQueue",
    "ImageData",
    "Images",
    "InputError",
    "Interrupted",
    "RandomDelay",
    "RunFailed",
    "ShiftedMomentumSGD",
    "StabilityStudy",
    "TuningStudy",
    "When",
    "grid",
    "load",
    "max_stable_learning_rate",
    "measure_thresholds",
    "sweep",
    "threshold",
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
        "import os; before = dict(os.environ); import sys, tautune; tautune.threshold(8)\n"
        "print(sorted({'torch', 'ray', 'pandas', 'matplotlib'} & sys.modules.keys()), before == dict(os.environ))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"HOME": str(tmp_path)} | _path()
    )
    assert done.stdout.strip() == "[] True"
    assert list(tmp_path.iterdir()) == []


def _path() -> dict[str, str]:
    return {"PYTHONPATH": str(Path(tautune.__file__ or "").parents[1])}
