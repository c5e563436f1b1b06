"""`tautune board` as it is typed: one line with the address, TensorBoard behind it, and an end by Ctrl-C."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tautune.records.event_files import open_events
from tests.records.test_event_files import damaged, file_of, point


def write_run(folder: Path) -> None:
    events = open_events(folder)
    for name in ("01 η=0.1", "02 η=0.2"):
        events.append(name, [point(1), point(2)])
    events.close()


def runs_at(address: str, count: int) -> list[str]:
    """Returns the names that TensorBoard has, once there are so many."""
    end = time.monotonic() + 60
    while True:
        with urllib.request.urlopen(address.partition("?")[0] + "data/runs") as answer:
            runs: list[str] = json.load(answer)
        if len(runs) >= count:
            return sorted(runs)
        assert time.monotonic() < end, runs
        time.sleep(0.2)


@pytest.mark.process
def test_it_says_one_line_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    write_run(tmp_path / "torn")
    file = file_of(tmp_path / "torn", "01 η=0.1")
    file.write_bytes(damaged(file.read_bytes(), 2))
    # Ctrl-C works also where the tests' own shell has it ignored
    command = ["env", "--default-signal=INT", sys.executable, "-m", "tautune", "board", ".", "--port", "0"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, cwd=tmp_path, text=True) as process:
        assert process.stdout
        said = process.stdout.readline()
        found = re.fullmatch(r"(http://127\.0\.0\.1:\d+/\S*) shows (.*); Ctrl-C ends it\n", said)
        assert found, said
        assert found[2] == str(tmp_path)  # "." is no name
        names = ["run/01 η=0.1", "run/02 η=0.2", "torn/02 η=0.2"]
        assert runs_at(found[1], len(names)) == names
        write_run(tmp_path / "later")
        assert len(runs_at(found[1], 5)) == 5
        process.send_signal(signal.SIGINT)
        more, complaints = process.communicate(timeout=30)
    assert (process.returncode, more) == (0, "")
    (complaint,) = complaints.splitlines()
    assert complaint == f"tautune: {file} is damaged from byte 0 on; the events that are whole are shown"
