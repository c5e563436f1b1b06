"""The same seed has the same results, whatever the number of CPUs, and in whatever order trials end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.slow_study import write_slow_study
from tests.runners.tunings import rows_of, trajectories

pytestmark = [pytest.mark.process, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
needs_two = pytest.mark.skipif(len(CPUS) < 2, reason="needs two CPUs, and a system on which a process can keep to one")


def tautune(folder: Path, cpus: list[int], *words: str) -> Path:
    """Runs a command on some of the CPUs, with a cache of its own; returns its results."""
    allowed = f"import os; os.sched_setaffinity(0, {cpus}); from tautune.commands.app import main; main()"
    command = [sys.executable, "-c", allowed, *words, "--output", str(folder / "out")]
    environment = os.environ | {"TAUTUNE_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out"


def on_one_and_on_all(folder: Path, *words: str) -> list[Path]:
    """Runs it on one CPU, and on all."""
    places = [folder / "one", folder / "all"]
    for place in places:
        place.mkdir()
    return [tautune(place, cpus, *words) for place, cpus in zip(places, (CPUS[:1], CPUS), strict=True)]


@needs_two
def test_a_sweep_with_the_descent_to_its_minimum(tmp_path: Path) -> None:
    found = on_one_and_on_all(tmp_path, "sweep", str(ROOT / "examples/own_minimum.py"), "--delays", "0,1")
    one, both = (json.loads((folder / "thresholds.json").read_text()) for folder in found)
    assert one == both


@needs_two
def test_a_grid(tmp_path: Path) -> None:
    words = ("grid", "digits", "--delays", "0,1,4", "--learning-rates", "0.01:0.4:30", "--steps", "50", "--seeds", "2")
    one, both = on_one_and_on_all(tmp_path, *words, "--mini-batch", "32")
    assert sorted((one / "points.csv").read_text().splitlines()) == sorted(
        (both / "points.csv").read_text().splitlines()
    )


@needs_two
def test_a_tuning_whose_trials_end_in_another_order(tmp_path: Path) -> None:
    write_slow_study(tmp_path, epoch_seconds=0.3)
    options = ("--trials", "6", "--max-epochs", "3", "--search", "random", "--scheduler", "none")
    one, both = on_one_and_on_all(tmp_path, "tune", str(tmp_path / "slow.py"), *options)
    assert trajectories(rows_of(one)) == trajectories(rows_of(both))
