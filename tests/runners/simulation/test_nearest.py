"""Which training stands for a suggestion, against a slow and obvious twin."""

import math
import random
from pathlib import Path
from typing import Any

from ray.tune.search.sample import Categorical, Float

from tautune.runners.simulation.csv_table import read_csv
from tautune.runners.simulation.nearest import Nearest, space_of
from tautune.runners.simulation.table import Table
from tests.runners.simulation.curves import CURVES
from tests.runners.simulation.tables import a_table


def a_continuous_table(folder: Path) -> Table:
    draw = random.Random(0)
    lines = ["rate,dropout,optimizer,beta,loss"]
    for _ in range(40):
        optimizer = draw.choice(["sgd", "adam"])
        beta = draw.uniform(0.5, 1) if optimizer == "adam" else ""  # which exists for adam only
        lines.append(f"{10 ** draw.uniform(-4, 0)},{draw.uniform(0, 0.5)},{optimizer},{beta},{draw.random()}")
    (folder / "a.csv").write_text("\n".join(lines))
    return read_csv(folder / "a.csv", "loss", "min")


def gower(asked: dict[str, Any], had: dict[str, Any], table: Table) -> float:
    parts = []
    for name, value in had.items():
        if name == "optimizer":
            parts.append(float(asked[name] != value))
        elif name == "rate":
            rates = [t.config["rate"] for t in table.trainings]
            parts.append(abs(math.log(asked[name] / value)) / math.log(max(rates) / min(rates)))
        else:
            own = [t.config[name] for t in table.trainings if name in t.config]
            parts.append(abs(asked[name] - value) / (max(own) - min(own)))
    return sum(parts) / len(parts)


def test_the_nearest_training_has_the_smallest_distance_of_gower(tmp_path: Path) -> None:
    table, draw = a_continuous_table(tmp_path), random.Random(1)
    nearest = Nearest(table)
    for _ in range(200):
        asked: dict[str, Any] = {"rate": 10 ** draw.uniform(-4, 0), "dropout": draw.uniform(0, 0.5)}
        asked |= {"beta": draw.uniform(0.5, 1), "optimizer": draw.choice(["sgd", "adam"])}
        distances = [gower(asked, training.config, table) for training in table.trainings]
        found = gower(asked, nearest(asked).config, table)
        assert math.isclose(found, min(distances), abs_tol=1e-12)


def test_a_configuration_of_the_table_is_itself(tmp_path: Path) -> None:
    for table in (a_table(tmp_path), a_continuous_table(tmp_path)):
        nearest = Nearest(table)
        assert all(nearest(dict(reversed(t.config.items()))) is t for t in table.trainings)


def test_the_space_has_choices_for_a_grid_and_ranges_otherwise(tmp_path: Path) -> None:
    grid = space_of(a_table(tmp_path))
    assert {name: list(domain.categories) for name, domain in grid.items()} == {
        "learning_rate": sorted({rate for rate, _ in CURVES}),
        "width": [8, 16],
    }
    space = space_of(a_continuous_table(tmp_path))
    assert isinstance(space["optimizer"], Categorical)
    assert isinstance(space["rate"], Float)
    assert "LogUniform" in type(space["rate"].get_sampler()).__name__
