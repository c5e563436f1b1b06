import csv
import io
from pathlib import Path

import pytest
from rich.console import Console

from tautune.runners.path import compare_paths
from tautune.search_spaces import optimizers_quadratic

PUBLISHED = {
    "GD η=0.4": (-0.943467, -0.000073),
    "GD η=0.6": (-0.387814, -1673.365109),
    "momentum β=0.5 η=0.6": (0.007188, 0.002553),
    "momentum β=0.25 η=0.6": (-0.126340, -0.186632),
    "Adagrad η=0.4": (-2.382563, -0.158591),
    "Adagrad η=2": (-0.002295, -0.000000),
}


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_the_textbook_table_to_six_figures(tmp_path: Path) -> None:
    text = io.StringIO()
    rows = compare_paths(optimizers_quadratic.STUDY, tmp_path / "out", delay=0, console=Console(file=text, width=120))
    assert {row["method"]: (round(row["x1"], 6), round(row["x2"], 6)) for row in rows} == PUBLISHED
    assert "-1673.365109" in text.getvalue()
    assert len(list(csv.DictReader((tmp_path / "out" / "trials.csv").open()))) == 6


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_delay_makes_the_stable_ones_leave(tmp_path: Path) -> None:
    """aη = 4·0.4 = 1.6 is below 2, and above 1, the threshold of one step of delay."""
    text = Console(file=io.StringIO())
    (first, *_) = compare_paths(optimizers_quadratic.STUDY, tmp_path / "out", delay=1, console=text)
    assert abs(first["x2"]) > 10
