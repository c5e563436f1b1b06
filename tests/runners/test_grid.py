"""The grid as a whole, on a real local Ray."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn

import tautune
from tautune._grid import carry_out
from tautune.analysis.grids import GridSummary
from tautune.commands.grid_display import GridDisplay
from tautune.commands.screen import Screen
from tautune.records.errors import InputError
from tautune.records.event_files import BOARD
from tautune.runners.grid import Grid
from tautune.runners.grid_job import trial_size
from tautune.runners.grid_plan import PRECISION
from tautune.search_spaces import digits, quadratic
from tautune.trainables.grid.point import Course, Point, Task
from tautune.trainables.grid.single_training import SingleTraining

GRID = Grid(
    study=digits.STUDY,
    delays=(0, 3),
    learning_rates=(0.05, 0.5, 1e4),
    steps=30,
    mini_batch=32,
    seeds=2,
    device="cpu",
)
COURSE = Course(steps=30, mini_batch=32)
needs_ray = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]


def run(grid: Grid, output: Path) -> tuple[GridSummary, str]:
    text = io.StringIO()
    display = GridDisplay(Screen(Console(file=text, width=200), time.monotonic()))
    summary = carry_out(grid, output, display)
    display.ended(summary)
    return summary, text.getvalue()


def rows_of(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "points.csv").open()))


def test_trials_are_few_and_none_is_smaller_than_is_fast() -> None:
    assert trial_size(128, 2, 64) == 64
    assert trial_size(20, 2, 64) == 10
    assert trial_size(100_000, 2, 64) == 12_500
    assert trial_size(1, 8, 64) == 1


def test_a_number_of_learning_rates_is_spread_around_theorys_thresholds() -> None:
    points = replace(GRID, learning_rates=5).points(sharpness=2.0)
    rates = sorted({p.learning_rate for p in points})
    assert len(rates) == 5
    assert rates[-1] == pytest.approx(4 * 1.0)
    assert rates[0] == pytest.approx(0.445042 / 2 / 4, rel=1e-5)  # 2 sin(π/14) / λ / 4
    assert len(points) == 2 * 5 * 2


class TestOnRay:
    pytestmark = needs_ray

    @pytest.fixture(scope="class")
    @staticmethod
    def finished(local_ray: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, GridSummary, str]:
        output = tmp_path_factory.mktemp("grid") / "digits"
        return output, *run(GRID, output)

    def test_every_point_is_trained_as_it_would_be_alone(self, finished: tuple[Path, GridSummary, str]) -> None:
        rows = rows_of(finished[0])
        assert len(rows) == 12
        problem = digits.STUDY.problem().cast(PRECISION)
        task = Task(problem, {seed: digits.STUDY.start(seed).to(PRECISION) for seed in (0, 1)}, COURSE)
        for row in rows:
            point = Point(int(row["delay"]), float(row["learning_rate"]), seed=int(row["seed"]))
            training = SingleTraining(task, point)
            training.advance(30)
            (expected,) = training.outcomes()
            assert float(row["loss"]) == pytest.approx(expected.loss, rel=1e-5)
            assert float(row["accuracy"]) == pytest.approx(expected.accuracy, abs=1e-6)
            assert (row["diverged"] == "1", int(row["steps"])) == (expected.diverged, expected.steps)
        assert len({row["loss"] for row in rows if row["diverged"] == "0"}) == 8  # seeds differ

    def test_files_and_tensorboard(self, finished: tuple[Path, GridSummary, str]) -> None:
        output, summary, printed = finished
        assert json.loads((output / "grid.json").read_text()) == json.loads(json.dumps(summary.as_json()))
        assert (output / "grid.png").read_bytes().startswith(b"\x89PNG")
        (once,) = json.loads((output / "run.json").read_text())["runs"]
        assert once["points"] == 12
        assert once["hardware"]["cores"] == os.cpu_count()
        assert once["at_once"] >= 1
        shown = {place.name: EventAccumulator(str(place)).Reload() for place in (output / BOARD).iterdir()}
        assert [e.step for e in shown["theory"].Scalars("1 by delay/η")] == [0, 3]
        best = [row.best_loss for row in summary.rows]
        assert [e.value for e in shown["best"].Scalars("2 at the best η, by delay/loss")] == pytest.approx(best)
        assert "pictures/grid" in shown["verdict"].Tags()["tensors"]
        assert "12 of 12 points · 4 diverged" in printed
        assert "Ray's start included" in printed

    def test_a_grid_is_extended_and_only_what_is_missing_is_trained(
        self, finished: tuple[Path, GridSummary, str]
    ) -> None:
        output = finished[0]
        before = rows_of(output)
        wider = replace(GRID, delays=(0, 1, 3), points_per_trial=2)
        _, printed = run(wider, output)
        assert "6 of 6 points" in printed
        assert "2 at once" in printed
        after = rows_of(output)
        assert len(after) == 18
        assert [row for row in after if row["delay"] != "1"] == before
        _, printed = run(wider, output)
        assert "everything asked for is in" in printed

    def test_a_model_that_cannot_be_stacked_is_trained_one_point_after_another(self, tmp_path: Path) -> None:
        study = replace(quadratic.STUDY, name="branching", model=Branching)
        grid = Grid(study=study, delays=(0, 1), learning_rates=(0.01, 0.1), steps=5)
        summary, printed = run(grid, tmp_path / "out")
        assert printed.count("branching cannot train several points at once, so they train one by one: vmap") == 1
        assert "4 of 4 points · 0 diverged · one after another" in printed
        assert [row.diverged for row in summary.rows] == [0, 0]

    def test_more_points_than_memory_holds_are_refused(self, tmp_path: Path) -> None:
        grid = replace(GRID, delays=(900_000,), steps=900_000, points_per_trial=6)
        with pytest.raises(InputError, match=r"points at once take .* GB .* enough for 0; give fewer"):
            run(grid, tmp_path / "out")


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(len(quadratic.CURVATURES), 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.linear(x)
        return outputs if outputs.sum() > -1e9 else -outputs


GRID_OPTIONS = "--delays 0,1 --learning-rates 0.1:0.4:20 --steps 500 --mini-batch 32 --points-per-trial 4"


def stopped(folder: Path, how: signal.Signals) -> tuple[int, str]:
    """Runs a grid until a tenth of it is there, and then ends it. Returns its exit code and what it said of that."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tautune", "grid", "digits", *GRID_OPTIONS.split(), "--output", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("RAY_A")},
    )
    assert process.stdout is not None
    assert "points" in process.stdout.readline()
    process.send_signal(how)
    _, error = process.communicate(timeout=120)
    return process.returncode, error


@pytest.mark.process
@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.timeout(240)
def test_a_run_that_is_stopped_and_killed_goes_on_from_its_points(tmp_path: Path) -> None:
    code, error = stopped(tmp_path, signal.SIGTERM)  # SIGINT: test_sweep
    assert code == 130
    said, _, command = error.splitlines()[-3:]
    assert said.startswith("tautune: stopped; the points trained so far are in")
    assert command == f"  tautune grid digits {GRID_OPTIONS} --output {tmp_path}"
    interrupted = rows_of(tmp_path)
    stopped(tmp_path, signal.SIGKILL)
    kept = rows_of(tmp_path)
    assert 0 < len(interrupted) < len(kept) < 40
    assert all(row in kept for row in interrupted)
    rates = tuple(float(f"{0.1 * 4 ** (i / 19):.6g}") for i in range(20))
    grid = replace(GRID, delays=(0, 1), learning_rates=rates, steps=500, seeds=1, points_per_trial=4)
    _, printed = run(grid, tmp_path)
    left = 40 - len(kept)
    assert f"{left} of {left} points" in printed
    after = rows_of(tmp_path)
    assert len(after) == 40
    assert all(row in after for row in kept)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_grid_leaves_the_environment_as_it_was(tmp_path: Path) -> None:
    before = dict(os.environ)
    run(replace(GRID, delays=(0,), learning_rates=(0.1,), steps=2, seeds=1), tmp_path / "out")
    assert dict(os.environ) == before


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_grid_from_python_is_silent_and_can_be_loaded(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = tautune.grid(
        digits.STUDY, delays=[0, 2], learning_rates=[0.1, 0.5], steps=5, output=tmp_path / "out", mini_batch=64
    )
    assert capfd.readouterr().out == ""
    assert found.path == tmp_path / "out"
    assert found.best is not None
    assert found.trials["learning_rate"].tolist() == [0.1, 0.5, 0.1, 0.5]
    loaded = tautune.load(tmp_path / "out")
    assert isinstance(loaded, GridSummary)
    assert loaded.as_json() == found.as_json()
