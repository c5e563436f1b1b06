"""The sweep as a whole, on a real local Ray."""

import fcntl
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from tautune import search_spaces
from tautune._sweep import carry_out
from tautune.analysis.thresholds import Thresholds
from tautune.commands.screen import Screen
from tautune.commands.sweep_display import SweepDisplay
from tautune.records.errors import InputError, RunFailed
from tautune.records.event_files import BOARD
from tautune.records.minimum_cache import MinimumCache
from tautune.runners.listeners import SweepListener
from tautune.runners.sweep import Sweep
from tautune.search_spaces import quadratic
from tautune.trainables.theory.momentum import Momentum
from tautune.trainables.threshold.minimum import content_hash

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray", "cold_cache")]

SWEEP = Sweep(study=quadratic.STUDY, delays=(0, 1, 4))


def run(sweep: Sweep, output: Path) -> tuple[Thresholds, str]:
    text = io.StringIO()
    display = SweepDisplay(Screen(Console(file=text, width=200), time.monotonic() - 1000))
    thresholds = carry_out(sweep, output, display)
    display.ended(thresholds)
    return thresholds, text.getvalue()


@pytest.fixture(scope="module")
def finished(cold_cache: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Thresholds, str]:
    output = tmp_path_factory.mktemp("sweep") / "quadratic"
    return output, *run(SWEEP, output)


def test_every_delay_is_measured_and_printed(finished: tuple[Path, Thresholds, str]) -> None:
    _, thresholds, printed = finished
    assert [p.delay for p in thresholds.points] == [0, 1, 4]
    assert all(abs(p.relative_error) < 1e-3 for p in thresholds.points)
    assert thresholds.sharpness == pytest.approx(4)
    for point in thresholds.points:
        assert f"{point.measured:.6g}" in printed
    assert "Ray's start included" in printed


def test_files(finished: tuple[Path, Thresholds, str]) -> None:
    output, thresholds, _ = finished
    written = json.loads((output / "thresholds.json").read_text())
    assert written == json.loads(json.dumps(thresholds.as_json()))
    assert (output / "thresholds.png").read_bytes().startswith(b"\x89PNG")
    run_file = json.loads((output / "run.json").read_text())
    assert run_file["configuration"]["study"] == "quadratic"
    assert run_file["configuration"]["seed"] == 0
    assert run_file["delays"] == [0, 1, 4]
    assert run_file["minimum"]["sharpness"] == pytest.approx(4)
    (once,) = run_file["runs"]
    assert once["versions"]["ray"]
    assert once["hardware"]["cores"] == os.cpu_count()
    assert 1000 < once["duration_seconds"] < 1300  # since the command began, a thousand seconds ago


def test_tensorboard_has_curves_of_every_trial_and_the_conclusions(finished: tuple[Path, Thresholds, str]) -> None:
    output, thresholds, _ = finished
    shown = {place.name: EventAccumulator(str(place)).Reload() for place in (output / BOARD).iterdir()}
    for delay in (0, 1, 4):
        record = json.loads((output / "measurements" / f"delay={delay}_seed=0.json").read_text())
        tried = shown[f"τ={delay:02d}"].Scalars("2 bracket by tries/η")
        assert [event.step for event in tried] == list(range(1, len(record["samples"]) + 1))
        assert [event.value for event in tried] == pytest.approx([s["learning_rate"] for s in record["samples"]])
        left = shown[f"τ={delay:02d}"].Scalars("3 escape by tries/steps to leave")
        assert [event.value for event in left] == [departure["steps"] for departure in record["departures"]]
    assert shown["minimum"].Scalars("4 descent by gradient evaluations/gradient_norm")[-1].value <= 1e-6
    for name, rates in {"measured": "measured", "theory": "predicted"}.items():
        events = shown[name].Scalars("1 by delay/stable η")
        assert [event.step for event in events] == [0, 1, 4]
        assert [event.value for event in events] == pytest.approx([getattr(p, rates) for p in thresholds.points])
    assert "pictures/escapes" in shown["verdict"].Tags()["tensors"]


def test_a_reused_actor_carries_nothing_over(finished: tuple[Path, Thresholds, str], tmp_path: Path) -> None:
    """A delay measured alone, in an actor of its own, is what it was among others."""
    output, _, _ = finished
    run(replace(SWEEP, delays=(1,)), tmp_path / "alone")
    name = "measurements/delay=1_seed=0.json"
    assert (tmp_path / "alone" / name).read_text() == (output / name).read_text()


def test_again_is_at_once_and_more_delays_cost_only_themselves(
    finished: tuple[Path, Thresholds, str], tmp_path: Path
) -> None:
    tmp_path = shutil.copytree(finished[0], tmp_path / "copy")
    before = {f.name: f.stat().st_mtime_ns for f in (tmp_path / "measurements").iterdir()}
    run_file = (tmp_path / "run.json").read_text()
    thresholds, printed = run(SWEEP, tmp_path)
    assert f"everything asked for is in {tmp_path} already" in printed
    assert (tmp_path / "run.json").read_text() == run_file
    thresholds, _ = run(replace(SWEEP, delays=(2,)), tmp_path)
    after = {f.name: f.stat().st_mtime_ns for f in (tmp_path / "measurements").iterdir()}
    assert [p.delay for p in thresholds.points] == [0, 1, 2, 4]
    assert before.items() <= after.items()
    assert len(json.loads((tmp_path / "run.json").read_text())["runs"]) == 2


def test_two_sweeps_do_not_write_one_folder(finished: tuple[Path, Thresholds, str]) -> None:
    output, _, _ = finished
    with (output / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="is being written by another run"):
            run(replace(SWEEP, delays=(2,)), output)
    assert "already" in run(SWEEP, output)[1]


@pytest.mark.process
def test_rays_servers_listen_on_loopback_alone_and_ask_for_a_token() -> None:
    """Of the processes that Ray started; and a client with another token is refused."""
    own = psutil.Process()
    family = [own, *own.children(recursive=True)]
    listening = [c for p in family for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert len(listening) >= 3
    assert {c.laddr.ip.removeprefix("::ffff:") for c in listening} == {"127.0.0.1"}
    address = ray.get_runtime_context().gcs_address
    code = f"import ray; ray.init(address={address!r}, log_to_driver=False); print('let in')"
    tokens = ("0" * 64, os.environ["RAY_AUTH_TOKEN"])
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"RAY_AUTH_TOKEN": token},
        )
        for token in tokens
    ]
    (refused, error), (admitted, _) = [client.communicate(timeout=90) for client in clients]
    assert "let in" in admitted
    assert "let in" not in refused
    assert "InvalidAuthToken" in error


@pytest.mark.parametrize(
    "change", [{"momentum": Momentum(0.5)}, {"resolution": 0.01}, {"study": search_spaces.find("digits")}]
)
def test_a_folder_of_another_sweep_is_refused_and_left_alone(
    change: dict[str, Any], finished: tuple[Path, Thresholds, str]
) -> None:
    output, _, _ = finished
    before = {f: f.stat().st_mtime_ns for f in output.rglob("*")}
    with pytest.raises(InputError, match="holds a sweep with .*; give another folder"):
        run(replace(SWEEP, **change), output)
    assert {f: f.stat().st_mtime_ns for f in output.rglob("*")} == before


def test_a_minimum_out_of_reach_is_told_with_its_gradient_norm(tmp_path: Path) -> None:
    digits = replace(search_spaces.find("digits"), seed=7)
    with pytest.raises(RunFailed, match="the gradient norm is .* of its start, 1e-06 is needed"):
        run(Sweep(study=digits, delays=(0,), budget=30), tmp_path)


@pytest.mark.usefixtures("finished")
def test_a_damaged_or_foreign_cached_minimum_is_found_again(tmp_path: Path) -> None:
    content = content_hash(quadratic.STUDY.problem(), tolerance=SWEEP.tolerance)
    cache = MinimumCache(content)
    known = cache.minimum()
    assert known is not None
    cache.keep(replace(known, point=known.point + 1))
    thresholds, printed = run(replace(SWEEP, delays=(0,)), tmp_path / "second")
    assert "training quadratic to its minimum" in printed
    assert abs(thresholds.points[0].relative_error) < 1e-3


def test_mini_batches_have_an_uncertainty_from_their_seeds(tmp_path: Path) -> None:
    sweep = replace(SWEEP, delays=(1,), mini_batch=10, seeds=3, resolution=0.02, departures=False)
    (point,) = run(sweep, tmp_path)[0].points
    rates = [
        json.loads((tmp_path / f"measurements/delay=1_seed={seed}.json").read_text())["threshold"]["learning_rate"]
        for seed in range(3)
    ]
    assert point.seeds == 3
    assert point.measured == pytest.approx(sum(rates) / 3)
    assert point.uncertainty > (max(rates) - min(rates)) / 4 > 0


def test_what_is_measured_is_the_study_that_was_given_and_not_the_registered_one_of_its_name(tmp_path: Path) -> None:
    def twice() -> tuple[Tensor, Tensor]:
        inputs, targets = quadratic.data()
        return 2 * inputs, targets

    for name in ("quadratic", "one_that_nobody_registered"):
        study = replace(quadratic.STUDY, name=name, data=twice)
        thresholds, _ = run(Sweep(study=study, delays=(0,), departures=False), tmp_path / name)
        assert thresholds.sharpness == pytest.approx(16)
        assert thresholds.points[0].measured == pytest.approx(2 / 16, rel=1e-3)


def stopped(command: list[str], file: Path, samples: int, how: signal.Signals) -> tuple[int, str]:
    """Runs a sweep until it has so many samples, and then ends it. Returns its exit code and what it printed."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while not (file.exists() and len(json.loads(file.read_text())["samples"]) >= samples):
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(how)
        printed, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, printed


@pytest.mark.process
def test_a_stopped_run_loses_nothing_and_the_same_command_continues(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tautune", "sweep", "digits", "--delays", "16", "--output", str(tmp_path / "out")]
    file = tmp_path / "out" / "measurements" / "delay=16_seed=0.json"
    code, printed = stopped(command, file, 2, signal.SIGINT)  # SIGTERM: test_grid
    assert code == 130
    assert printed.splitlines()[-2:] == ["To go on:", f"  {shlex.join(['tautune', *command[3:]])}"]
    assert (tmp_path / "out" / "thresholds.json").exists()
    interrupted = json.loads(file.read_text())
    stopped(command, file, len(interrupted["samples"]) + 1, signal.SIGKILL)
    kept = json.loads(file.read_text())
    assert not kept["done"]
    assert kept["samples"][: len(interrupted["samples"])] == interrupted["samples"]
    carry_out(Sweep(study="digits", delays=(16,), departures=False), tmp_path / "out", SweepListener())
    whole = json.loads(file.read_text())
    assert whole["done"]
    assert whole["samples"][: len(kept["samples"])] == kept["samples"]
