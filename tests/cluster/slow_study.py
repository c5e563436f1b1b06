"""A study whose trials take their time, not the processor's: what happens to them meanwhile is the test's subject."""

from pathlib import Path

SOURCE = """
import time
from dataclasses import replace

from torch import nn

from tautune.search_spaces import digits_mlp


class Slow(nn.Module):
    def forward(self, inputs):
        time.sleep({seconds})
        return inputs.flatten(1)


def model(shape, classes):
    return nn.Sequential(Slow(), nn.Linear(64, classes))


SPACE = {{name: digits_mlp.STUDY.space[name] for name in ("optimizer", "learning_rate", "momentum", "l2")}}
STUDY = replace(digits_mlp.STUDY, name="slow", model=model, space=SPACE | {{"batch_size": 64}})
"""
BATCHES = 29
"""An epoch's, validation included."""


def write_slow_study(folder: Path, *, epoch_seconds: float) -> Path:
    """Writes slow.py, whose epochs take that long and little more."""
    file = folder / "slow.py"
    file.write_text(SOURCE.format(seconds=epoch_seconds / BATCHES))
    return file
