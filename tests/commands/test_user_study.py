"""A study in a user's own file: the one of the documentation, and what becomes of mistakes in one."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

pytestmark = pytest.mark.process

EXAMPLE = Path(__file__).parents[2] / "examples" / "breast_cancer.py"
MISTAKE = """
from ray import tune
from torch import nn
from tautune.search_spaces.tuning_study import TuningStudy

def model(shape, classes, *, width):
    class Mine(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(64, 10)
        def forward(self, inputs):
            return self.layer(inputs)  # forgot to flatten
    return {built}

STUDY = TuningStudy(name="mine", description="", data="digits", model=model, space={space}, max_epochs=2)
"""


def tautune(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tautune", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=110)


def write(folder: Path, **parts: str) -> None:
    defaults = {"built": "Mine()", "space": '{"width": tune.choice([1, 2])}'}
    text = MISTAKE
    for name, value in (defaults | parts).items():
        text = text.replace("{" + name + "}", value, 1)
    (folder / "mine.py").write_text(text)


@pytest.mark.timeout(400)  # six commands, each of which imports torch
def test_the_example_is_tuned_refitted_and_predicts(tmp_path: Path) -> None:
    study = tmp_path / "breast_cancer.py"
    study.write_text(EXAMPLE.read_text())
    done = tautune("tune", "breast_cancer.py", "--trials", "4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "breast_cancer"
    best = json.loads((folder / "best.json").read_text())
    assert best["validation_accuracy"] > 0.85
    assert best["config"]["delay"] == 4
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert tautune("refit", str(folder), cwd=elsewhere).returncode == 0
    inputs, targets = load_breast_cancer(return_X_y=True)
    for number in range(4):
        np.save(tmp_path / f"{number}.npy", inputs[number])
    files = [str(tmp_path / f"{number}.npy") for number in range(4)]
    unnamed = tautune("predict", str(folder), *files, cwd=elsewhere)
    assert unnamed.returncode == 2
    assert f"whose code runs only when you name it: --study {study}" in unnamed.stderr
    said = tautune("predict", str(folder), *files, "--json", "--study", str(study), cwd=elsewhere)
    labels = [json.loads(line)["label"] for line in said.stdout.splitlines()]
    assert labels == [["malignant", "benign"][target] for target in targets[:4]]
    study.write_text(EXAMPLE.read_text().replace("tune.choice([16, 32, 64])", "tune.choice([16, 32])"))
    changed = tautune("extend", str(folder), "--trials", "1", cwd=elsewhere)
    assert changed.returncode == 2
    assert "another version of the study" in changed.stderr


def test_a_model_that_raises_in_training_is_told_with_its_line_and_trial(tmp_path: Path) -> None:
    write(tmp_path)
    done = tautune("tune", "mine.py", "--search", "grid", "--scheduler", "none", cwd=tmp_path)
    assert done.returncode == 1
    assert 'mine.py", line 12, in forward' in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("tautune: 2 of 2 trials failed; above is trial ")
    assert "width=" in last


def test_mistakes_are_found_before_anything_starts(tmp_path: Path) -> None:
    write(tmp_path, built="nn.Linear(64, width / 2)")
    done = tautune("tune", "mine.py", cwd=tmp_path)
    assert done.returncode == 2
    assert 'mine.py", line 13, in model' in done.stderr
    assert "the model of mine cannot be built with width=1: TypeError" in done.stderr.splitlines()[-1]
    write(tmp_path, space='{"widht": 3}')
    done = tautune("tune", "mine.py", cwd=tmp_path)
    assert done.returncode == 2
    assert "hyperparameter 'widht' is unknown; did you mean width" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "results").exists()


def test_what_a_sweeps_study_raises_is_told_with_its_own_line_and_then_one(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from tautune import StabilityStudy\nfrom torch import nn\n\ndef data():\n    return 1 / 0\n\n"
        "STUDY = StabilityStudy(name='mine', data=data, model=lambda: nn.Linear(1, 1), loss=nn.MSELoss())\n"
    )
    done = tautune("sweep", "mine.py", cwd=tmp_path)
    assert done.returncode == 2
    assert 'mine.py", line 5, in data' in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last == f"tautune: {tmp_path / 'mine.py'}: its data or its model: ZeroDivisionError: division by zero"
    assert len(done.stderr.splitlines()) <= 4
    assert not (tmp_path / "results").exists()
