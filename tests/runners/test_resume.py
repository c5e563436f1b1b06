"""Tunings that are stopped and killed as users and machines do it, and what `resume` makes of them."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tautune._tuned import extend, resume
from tautune.records.errors import InputError, RunFailed
from tests.cluster.slow_study import write_slow_study
from tests.runners.boards import check_each_epoch_once

pytestmark = pytest.mark.process

TRIALS, EPOCHS = 6, 20


FIRST_FAILS = """

class Failing(Slow):
    def forward(self, inputs):
        try:
            open({mark!r}, "x").close()
        except FileExistsError:
            return super().forward(inputs)
        raise RuntimeError("the first one")


Slow = Failing
"""


def begin(folder: Path, *more: str, more_source: str = "") -> subprocess.Popen[str]:
    study = write_slow_study(folder.parent, epoch_seconds=0.08)
    with study.open("a") as file:
        file.write(more_source.format(mark=str(folder.parent / "mark")))
    command = [sys.executable, "-m", "tautune", "tune", str(study), "--trials", str(TRIALS), "--output", str(folder)]
    options = ["--max-epochs", str(EPOCHS), *more]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_A")}
    return subprocess.Popen(
        command + options, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def wait_for_trials(process: subprocess.Popen[str], count: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if re.search(rf"\b{count} of \d+: ", line):
            return
    raise AssertionError(process.stderr.read() if process.stderr else "")


def wait_for_row(folder: Path, state: str) -> None:
    """The table, which follows the journal after a moment, has a trial in this state."""
    end = time.monotonic() + 30
    while not any(row["state"] == state for row in rows_of(folder)):
        assert time.monotonic() < end
        time.sleep(0.05)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return list(csv.DictReader((folder / "trials.csv").open()))


def check_whole(folder: Path, before: list[dict[str, Any]]) -> None:
    rows = rows_of(folder)
    assert len(rows) == TRIALS == len({row["trial"] for row in rows})
    assert {row["state"] for row in rows} <= {"finished", "stopped"}
    finished = [row for row in rows if row["state"] == "finished"]
    assert all(int(row["epochs_trained"]) == EPOCHS for row in finished)
    assert json.loads((folder / "best.json").read_text())["trial"] == rows[0]["trial"]
    kept = [row for row in before if row["state"] in ("finished", "stopped") and row in rows]
    assert kept  # not everything was done again
    check_each_epoch_once(folder, rows)
    runs = json.loads((folder / "run.json").read_text())["runs"]
    assert [run["resumed"] for run in runs] == [False, True]
    assert "finished" in runs[-1]


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("local_ray")
def test_a_killed_tuning_is_resumed(tmp_path: Path) -> None:
    process = begin(tmp_path / "out", "--search", "random", "--scheduler", "none")
    wait_for_trials(process, 2)
    wait_for_row(tmp_path / "out", "finished")
    process.kill()
    process.wait()
    before = rows_of(tmp_path / "out")
    assert "finished" in {row["state"] for row in before}
    assert len(before) < TRIALS
    with pytest.raises(InputError, match="stopped before its end; go on with `tautune resume"):
        extend(tmp_path / "out", 2)
    resume(tmp_path / "out")
    check_whole(tmp_path / "out", before)


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("local_ray")
def test_ctrl_c_after_a_failed_trial_can_be_resumed(tmp_path: Path) -> None:
    process = begin(tmp_path / "out", "--search", "random", "--scheduler", "none", more_source=FIRST_FAILS)
    assert process.stdout is not None
    wait_for_trials(process, 1)
    wait_for_trials(process, 2)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "1 trial failed: see" in error.splitlines()[-3]
    before = rows_of(tmp_path / "out")
    assert "failed" in {row["state"] for row in before}
    assert sum(row["state"] in ("failed", "finished") for row in before) < TRIALS  # so there is something to resume
    with pytest.raises(RunFailed, match="trials failed; above is trial 0"):
        resume(tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert len(rows) == TRIALS
    assert sorted(row["number"] for row in rows) == list("123456")
    assert {row["state"] for row in rows} == {"finished", "failed"}
    assert "finished" in json.loads((tmp_path / "out" / "run.json").read_text())["runs"][-1]


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("local_ray")
def test_ctrl_c_says_how_to_go_on_and_loses_no_trial(tmp_path: Path) -> None:
    process = begin(tmp_path / "out")
    wait_for_trials(process, 2)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.splitlines()[-3:] == [
        f"tautune: stopped; the trials so far are in {tmp_path / 'out'}",
        "To go on:",
        f"  tautune resume {tmp_path / 'out'}",
    ]
    before = rows_of(tmp_path / "out")
    assert 2 <= len(before) < TRIALS
    resume(tmp_path / "out")
    check_whole(tmp_path / "out", before)
