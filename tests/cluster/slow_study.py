"""A study whose trials take their time, not the processor's: what happens to them meanwhile is the test's subject."""

from pathlib import Path

SOURCE = """
from dataclasses import replace
from pathlib import Path
from select import select

from torch import nn

from tautune.search_spaces import digits_mlp


class Slow(nn.Module):
    seen = 0

    def forward(self, inputs):
        self.seen += 1
        select([], [], [], {seconds})  # time.sleep fails under libfaketime
        while self.seen > {limit} and not Path({gate!r}).exists():
            select([], [], [], 0.1)
        return inputs.flatten(1)


def model(shape, classes):
    return nn.Sequential(Slow(), nn.Linear(64, classes))


SPACE = {{name: digits_mlp.STUDY.space[name] for name in ("optimizer", "learning_rate", "momentum", "l2")}}
STUDY = replace(digits_mlp.STUDY, name="slow", model=model, space=SPACE | {{"batch_size": 64}})
"""
BATCHES = 21
"""Number of batches in an epoch, with those of the validation examples."""


def write_slow_study(folder: Path, *, epoch_seconds: float, epochs: int = 0, gate: str = "/") -> Path:
    """Writes slow.py, whose epochs take that long; after so many of them a trial waits until there is a file `gate`."""
    file = folder / "slow.py"
    file.write_text(SOURCE.format(seconds=epoch_seconds / BATCHES, limit=epochs * BATCHES, gate=gate))
    return file
