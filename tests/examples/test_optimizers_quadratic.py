import subprocess
import sys
from pathlib import Path

import pytest

from examples.optimizers_quadratic import METHODS, descend

PUBLISHED = {
    "GD η=0.4": (-0.943467, -0.000073),
    "GD η=0.6": (-0.387814, -1673.365109),
    "momentum β=0.5 η=0.6": (0.007188, 0.002553),
    "momentum β=0.25 η=0.6": (-0.126340, -0.186632),
    "Adagrad η=0.4": (-2.382563, -0.158591),
    "Adagrad η=2": (-0.002295, -0.000000),
}


@pytest.mark.parametrize("method", METHODS)
def test_the_textbooks_table_to_every_digit(method: str) -> None:
    assert tuple(round(x, 6) for x in descend(method)) == PUBLISHED[method]


def test_a_delay_of_one_step_makes_a_stable_method_leave() -> None:
    """aη = 4·0.4 = 1.6 is below 2, the threshold without delay, and above 1, the threshold of one step of delay."""
    assert abs(descend("GD η=0.4")[1]) < 1e-4
    assert abs(descend("GD η=0.4", delay=1)[1]) > 10


def test_the_script_prints_the_table() -> None:
    script = Path(__file__).parents[2] / "examples" / "optimizers_quadratic.py"
    said = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout
    assert "GD η=0.6                       -0.387814    -1673.365109" in said
