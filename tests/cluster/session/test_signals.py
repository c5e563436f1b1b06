"""What ends a run from outside: it says so itself, soon, keeps what was measured and leaves nothing running."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.process

SECONDS = 25.0
"""Seconds in which a run has to end on a busy machine; on two idle cores it takes two to five."""
SWEEP = ("sweep", "digits", "--delays", ",".join(map(str, range(60))), "--no-departures")
GRID = ("grid", "digits", "--steps", "1000000", "--learning-rates", "64")
TUNING = ("tune", "digits_mlp", "--max-epochs", "1000", "--scheduler", "none")


class Run:
    """`tautune` in a process group of its own, as `timeout`, SLURM or systemd have it."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, *, ignoring: bool = False) -> None:
        self.output, self.mark = folder / "out", f"TAUTUNE_TEST={folder}"
        how = "--ignore-signal=INT" if ignoring else "--default-signal=INT"
        cache = f"TAUTUNE_CACHE={folder}/cache"  # a sweep begins by its minimum
        command = [
            "env",
            how,
            self.mark,
            cache,
            sys.executable,
            "-m",
            "tautune",
            *arguments,
            "--output",
            str(self.output),
        ]
        self.process = subprocess.Popen(
            command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def wait_for(self, true: Callable[[], object]) -> None:
        end = time.monotonic() + 90
        while not true():
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < end, "it does not begin"
            time.sleep(0.05)

    def end_by(self, number: signal.Signals) -> list[str]:
        """Signals the whole group; returns what the command says on stderr."""
        begun = time.monotonic()
        os.killpg(self.process.pid, number)
        said = self.process.communicate(timeout=90)[1].splitlines()
        assert time.monotonic() - begun < SECONDS
        return said

    def running(self) -> list[str]:
        """Its processes: all that have its mark in their environment."""
        name, _, value = self.mark.partition("=")
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(name) == value and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.name())
            except psutil.Error:
                continue
        return found


def until_nothing_runs(run: Run) -> None:
    end = time.monotonic() + SECONDS
    while left := run.running():
        assert time.monotonic() < end, left
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("arguments", "number", "kept", "word"),
    [
        (SWEEP, signal.SIGTERM, "trials", "stopped; the measurements are in "),
        (GRID, signal.SIGINT, "trials/*", "stopped; the points trained so far are in"),
        (TUNING, signal.SIGTERM, "trials.csv", "stopped; the trials so far are in"),
    ],
    ids=["sweep", "grid", "tune"],
)
def test_a_signal_to_the_whole_group_ends_a_run_in_its_own_words(
    arguments: tuple[str, ...], number: signal.Signals, kept: str, word: str, tmp_path: Path
) -> None:
    run = Run(arguments, tmp_path, ignoring=arguments is TUNING)  # as under nohup
    run.wait_for(lambda: any(run.output.glob(kept)))
    said = run.end_by(number)
    assert run.process.returncode == 130, "\n".join(said)
    assert said[-3].startswith(f"tautune: {word}"), "\n".join(said)
    assert said[-1].startswith(f"  tautune {'resume' if arguments is TUNING else arguments[0]} "), "\n".join(said)
    assert not [line for line in said if "rpc_client" in line or "Traceback" in line]
    until_nothing_runs(run)
    assert any(run.output.glob(kept))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_ray_starts_is_one_word(number: signal.Signals, tmp_path: Path) -> None:
    run = Run(SWEEP, tmp_path)
    run.wait_for(lambda: "gcs_server" in run.running())
    assert run.end_by(number) == ["tautune: stopped"]
    assert run.process.returncode == 130
    until_nothing_runs(run)


def test_nothing_outlives_a_run_that_was_killed(tmp_path: Path) -> None:
    run = Run(SWEEP, tmp_path)
    run.wait_for(lambda: any(run.output.glob("trials/*")))
    run.process.kill()
    run.process.communicate()
    until_nothing_runs(run)
