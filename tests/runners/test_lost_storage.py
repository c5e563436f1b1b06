"""A full disk, a folder that is lost or read-only, an S3 server that goes away: one line, and nothing is damaged."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import s3fs

import tautune
from tests import s3_server

pytestmark = [pytest.mark.process, pytest.mark.timeout(500)]  # a run, its end and a second run

SWEEP = ("sweep", "quadratic", "--delays", "0,1,2,3,4,5,6,7,8,9", "--no-departures")
GRID = ("grid", "quadratic", "--learning-rates", "600", "--steps", "50")
LONG_GRID = ("grid", "quadratic", "--learning-rates", "600", "--steps", "20000")
TUNING = ("tune", "digits_mlp", "--trials", "6", "--max-epochs", "3")
ROOT = Path(__file__).parents[2]
SIZE = 40 * 2**20
ROOM = 100 * 2**10
"""Bytes that the disk has for a run: some of its files find room, and none of the runs does as a whole."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, full but for `ROOM`: `ballast` holds the rest."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(tmp_path)]
    if os.getuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a file system can be mounted by root alone, and not in every container")
    try:
        (tmp_path / "ballast").write_bytes(bytes(SIZE - ROOM))
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)


def tautune_with(*arguments: str, output: Path | str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tautune", *arguments]
    if arguments[0] != "resume":
        command += ["--output", str(output)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("arguments", [SWEEP, GRID, TUNING], ids=lambda arguments: arguments[0])
def test_a_full_disk_stops_a_run_in_one_line_and_it_goes_on_when_there_is_room(
    arguments: tuple[str, ...], disk: Path
) -> None:
    output = disk / "out"
    stopped = tautune_with(*arguments, output=output)
    assert stopped.returncode == 1, stopped.stderr
    (line,) = stopped.stderr.splitlines()
    assert line.startswith(f"tautune: {output}/")
    assert line.endswith(" cannot be written: No space left on device")
    assert not list(output.rglob("*.part"))
    (disk / "ballast").unlink()
    again = ("resume", str(output)) if arguments is TUNING else arguments
    whole = tautune_with(*again, output=output)
    assert whole.returncode == 0, whole.stderr
    wanted = {"sweep": 10, "grid": 600 * 7, "tune": 6}[arguments[0]]
    assert len(tautune.load(output).trials) == wanted


def test_a_full_cache_stops_a_run_in_one_line_and_it_goes_on_when_there_is_room(
    disk: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The descent to a minimum keeps there how far it has come, and the run's own folder has room."""
    monkeypatch.setenv("TAUTUNE_CACHE", str(disk / "cache"))
    with suppress(OSError), (disk / "ballast").open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    own_minimum = ("sweep", str(ROOT / "examples/own_minimum.py"), "--delays", "0,1")
    output = tmp_path_factory.mktemp("run") / "out"
    stopped = tautune_with(*own_minimum, output=output)
    (line,) = stopped.stderr.splitlines()
    assert stopped.returncode in (1, 2), line
    assert line.startswith(f"tautune: {disk}/cache/minima")
    assert "No space left on device" in line
    (disk / "ballast").unlink()
    whole = tautune_with(*own_minimum, output=output)
    assert whole.returncode == 0, whole.stderr
    assert len(tautune.load(output).trials) == 2


def begun(output: str, there: Callable[[], object], arguments: tuple[str, ...] = SWEEP) -> "subprocess.Popen[str]":
    """Starts a run, and returns it when something is `there`."""
    command = [sys.executable, "-m", "tautune", *arguments, "--output", output]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 200
    while not there():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.05)
    return process


def complaints(process: "subprocess.Popen[str]") -> list[str]:
    """Returns what a run says when it ends, without the warning that TensorBoard's events are lost as well."""
    said = process.communicate(timeout=200)[1].splitlines()
    return [line for line in said if "TensorBoard will not show all of this run" not in line]


def test_a_folder_that_goes_away_stops_a_run_in_one_line(tmp_path: Path) -> None:
    output = tmp_path / "out"
    process = begun(str(output), lambda: any(output.glob("measurements/*")))
    shutil.rmtree(output, ignore_errors=True)
    said = complaints(process)
    assert process.returncode == 1, said
    assert len(said) == 1, said


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Makes every file under a folder that is opened from now on read-only, by a mount over it."""
    for options in (["--bind", str(folder)], ["-o", "remount,bind,ro"]):
        if os.getuid() or subprocess.run(["mount", *options, str(folder)], capture_output=True).returncode:
            pytest.skip("a folder can be mounted by root alone, and not in every container")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_storage_that_becomes_read_only_stops_a_run_in_one_line_and_it_goes_on_when_it_is_not(tmp_path: Path) -> None:
    output = tmp_path / "out"
    process = begun(str(output), lambda: any(output.glob("measurements/*")))
    with read_only(output):
        said = complaints(process)
    assert process.returncode == 1, said
    assert len(said) == 1, said
    assert said[0].endswith(" cannot be written: Read-only file system")
    whole = tautune_with(*SWEEP, output=output)
    assert whole.returncode == 0, whole.stderr
    assert len(tautune.load(output).trials) == 10


@pytest.mark.parametrize(("arguments", "file"), [(SWEEP, "measurements/*"), (LONG_GRID, "points.csv")])
def test_a_server_that_goes_away_stops_a_run_in_one_line_and_it_goes_on_when_it_returns(
    arguments: tuple[str, ...], file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.environment().items():  # one of its own
        monkeypatch.setenv(name, value)
    output = f"s3://{s3_server.BUCKET}/out"
    with s3_server.s3_server(tmp_path):
        files = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)

        def something() -> bool:
            return any(files.size(path) > 200 for path in files.glob(f"{s3_server.BUCKET}/out/{file}"))

        process = begun(output, something, arguments)
    said = complaints(process)
    assert process.returncode == 1, said
    assert len(said) == 1, said
    assert "Could not connect to the endpoint" in said[0]
    with s3_server.s3_server(tmp_path):
        whole = tautune_with(*arguments, output=output)
        assert whole.returncode == 0, whole.stderr
        assert len(tautune.load(output).trials) == (10 if arguments is SWEEP else 7 * 600)
