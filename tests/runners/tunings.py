"""Small studies, and how the tests tune them."""

import csv
import io
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray import tune
from rich.console import Console
from torch import nn

from tautune._tune import tune as tautune_tune
from tautune.commands.screen import Screen
from tautune.commands.tuning_display import TuningDisplay
from tautune.search_spaces.space import When
from tautune.search_spaces.tuning_study import TuningStudy

SMALL = TuningStudy(
    name="small",
    description="",
    data="digits",
    model="mlp",
    space={
        "learning_rate": tune.loguniform(1e-2, 1e-1),
        "momentum": tune.uniform(0.5, 0.95),
        "layers": tune.choice([1, 2]),
        "units_1": tune.choice([8, 32]),
        "units_2": When("layers", (2,), tune.choice([8, 32])),
        "optimizer": "nesterov",
    },
)
GRID = replace(SMALL, space={"learning_rate": tune.choice([1e-2, 1e-1]), "units": tune.choice([8, 16]), "delay": 2})
STEPS = 18
"""An epoch of the 1149 images that are left of the digits to train on, in mini-batches of 64."""
EXPLOSIVE = replace(SMALL, space={"learning_rate": tune.choice([1e-2, 1e8]), "optimizer": "sgd"})


def without_zero_width(shape: tuple[int, ...], classes: int, *, width: int) -> nn.Module:
    """A user's model, which raises where the space should not have led it."""
    if not width:
        raise ValueError("no width")
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), width), nn.Linear(width, classes))


def run(study: TuningStudy, search: str, scheduler: str, output: Path, **options: Any) -> tuple[dict[str, Any], str]:
    text = io.StringIO()
    defaults: dict[str, Any] = {"max_epochs": 3} | ({} if search == "grid" else {"trials": 4})
    display = TuningDisplay(Screen(Console(file=text, width=200), time.monotonic()))
    result = tautune_tune(
        study, search=search, scheduler=scheduler, output=output, progress=display, **defaults | options
    )
    return result.best, text.getvalue()


def rows_of(output: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((output / "trials.csv").open()))


def trajectories(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Returns what a run decides in its rows: not the names that Tune gave, nor how long it took and where."""
    accidental = ("trial", "seconds", "host")
    kept = ({name: value for name, value in row.items() if name not in accidental} for row in rows)
    return sorted(kept, key=lambda row: int(row["number"]))
