import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tautune.analysis.thresholds import Thresholds
from tautune.commands import app as cli
from tautune.records.errors import RunFailed
from tautune.runners.sweep import Sweep
from tautune.trainables.theory.momentum import Momentum
from tests.commands.bad_input import BAD, prepare


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tautune", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    code = ended.value.code
    assert isinstance(code, int | None)
    return code or 0


def test_threshold_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "threshold --delay 8 --momentum 0.9 --shifted --sharpness 2 --json"
    assert run(monkeypatch, *arguments.split()) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["threshold"] == pytest.approx(0.24469, abs=5e-6)
    assert answer["max_stable_learning_rate"] == pytest.approx(answer["threshold"] / 2)
    assert {k: answer[k] for k in ("delay", "momentum", "shifted")} == {"delay": 8, "momentum": 0.9, "shifted": True}
    assert answer["linear_approximation"] == pytest.approx(0.245, rel=0.01)


def test_threshold_as_a_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "threshold", "--delay", "2") == 0
    out = capsys.readouterr().out
    assert "0.618034" in out
    assert "max stable" not in out


def test_the_version_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"tautune {metadata.version('tautune')}\n"


@pytest.mark.parametrize("command", ["sweep", "grid", "tune", "board", "submit", "doctor"])
def test_help_tells_every_default(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rich would take "[default: 3]" in a help text for markup, and leave "With .": a space before the full stop."""
    monkeypatch.setenv("COLUMNS", "200")
    assert run(monkeypatch, command, "--help") == 0
    said = capsys.readouterr().out
    assert " ." not in said.replace(" ..", "").replace("[default: .]", "")
    assert "[default:" in said


def test_studies_are_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "studies") == 0
    out = capsys.readouterr().out
    assert "digits" in out
    assert "quadratic" in out


def test_without_arguments_it_helps(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch) == 0
    assert "sweep" in capsys.readouterr().out


@pytest.mark.parametrize("command", BAD)
def test_bad_input_is_one_line_and_exit_code_2_and_leaves_nothing(
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("caches")))
    monkeypatch.setenv("TAUTUNE_DATA", str(tmp_path / "data"))
    before = sorted(tmp_path.rglob("*"))
    assert run(monkeypatch, *command.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("tautune: ")
    assert BAD[command] in line
    assert sorted(tmp_path.rglob("*")) == before


def test_cuda_where_there_is_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run(monkeypatch, "sweep", "digits", "--device", "cuda") == 2
    assert "torch sees no CUDA device here; use cpu or auto" in capsys.readouterr().err


def test_options_of_the_sweep_arrive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tautune.commands import sweep

    asked: list[tuple[Sweep, Path]] = []

    def take(job: Sweep, output: Path, display: object) -> Thresholds:
        asked.append((job, output))
        return Thresholds(
            study="s", sharpness=1.0, momentum=job.momentum, mini_batch=None, points=(), escapes=(), path=output
        )

    monkeypatch.setattr(sweep, "carry_out", take)
    options = "--delays 4,1,4 --momentum 0.9 --shifted --resolution 0.01 --mini-batch 64 --seeds 5 --device cuda"
    more = f"--first-guess 5 --no-departures --budget 77 --tolerance 1e-3 --output {tmp_path}"
    assert run(monkeypatch, "sweep", "digits", *options.split(), *more.split()) == 0
    ((job, output),) = asked
    assert (job.study, job.delays, job.momentum) == ("digits", (1, 4), Momentum(0.9, shifted=True))
    assert (job.resolution, job.mini_batch, job.repeats, job.device) == (0.01, 64, 5, "cuda")
    assert (job.first_guess, job.departures, job.budget, job.tolerance, output) == (5.0, False, 77, 1e-3, tmp_path)
    settings = job.settings(sharpness=2.0)
    assert len(settings) == 10
    assert all(s.momentum == job.momentum and s.mini_batch == 64 and not s.departures for s in settings)
    assert settings[0].delay == 4
    assert settings[0].first_guess == pytest.approx(5 * 0.48729 / 2, rel=1e-5)
    assert run(monkeypatch, "sweep", "digits", "--first-guess", "none", "--momentum", "0.5") == 0
    assert asked[1][0].first_guess is None
    assert asked[1][0].settings(2.0)[0].first_guess == 0.01
    assert asked[1][1] == Path("results/digits-momentum-0.5")


def test_options_of_the_tuner_arrive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tautune import _tune
    from tautune.commands import tuning
    from tautune.runners.tuning_job import make_tuning

    asked = []
    monkeypatch.setattr(_tune, "carry_out", lambda *arguments: asked.append(arguments))
    monkeypatch.setattr(tuning, "_tell", lambda *_: None)
    options = "--search random --scheduler pbt --trials 7 --max-epochs 9 --concurrent 2 --time-budget 30"
    more = f"--cpus-per-trial 0.5 --gpus-per-trial 0.25 --seed 3 --data-dir {tmp_path}"
    more += " --split-seed 6 --set delay=8 --folds 5 --repeats 2 --examples 100 --output out"
    assert run(monkeypatch, "tune", "digits_mlp", *options.split(), *more.split()) == 0
    ((study, given, output, _),) = asked
    job = make_tuning(study, given)
    assert (job.search, job.scheduler, job.trials, job.max_epochs, job.concurrent) == ("random", "pbt", 7, 9, 2)
    assert (job.time_budget, job.cpus_per_trial, job.gpus_per_trial, job.seed) == (30, 0.5, 0.25, 3)
    assert job.study.space["delay"] == 8
    assert (job.folds, job.repeats, job.examples, job.split_seed) == (5, 2, 100, 6)
    assert (job.data_dir, job.device, output) == (tmp_path, "cuda", "out")


@pytest.mark.parametrize(
    "died_of",
    ["OutOfMemory: Ray ended its process 3 times", 'Traceback (most recent call last):\n  File "a.py"\nValueError'],
)
def test_what_a_trial_died_of_stands_above_the_last_line(
    died_of: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tautune.commands import sweep

    def fail(*_: object) -> None:
        raise RunFailed(f"{died_of}\ntautune: 1 of 3 trials failed; above is trial 02 (name=two\nlines)")

    monkeypatch.setattr(sweep, "carry_out", fail)
    assert run(monkeypatch, "sweep", "digits") == 1
    last = r"tautune: 1 of 3 trials failed; above is trial 02 (name=two\nlines)"
    assert capsys.readouterr().err == f"{died_of}\n{last}\n"


def test_a_cache_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("TAUTUNE_CACHE", "/proc/none")
    assert run(monkeypatch, "sweep", "quadratic", "--output", str(tmp_path / "out")) == 2
    assert "set TAUTUNE_CACHE to a folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:1", "RAY_ADDRESS=127.0.0.1:1: no cluster answers there"),
        ("ray://", "RAY_ADDRESS=ray://: it must be HOST:PORT, ray://HOST:PORT or auto"),
    ],
)
def test_a_cluster_that_does_not_answer_is_named(address: str, said: str, tmp_path: Path) -> None:
    environment = os.environ | {"RAY_ADDRESS": address, "TAUTUNE_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "tautune", "sweep", "quadratic", "--output", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"tautune: {said}")
    assert "Traceback" not in done.stderr


def test_an_empty_address_is_none_so_that_rays_servers_stay_on_loopback() -> None:
    code = (
        "import os; from tautune.cluster.session.environment import set_environment; set_environment()\n"
        "print(os.environ['RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER'])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment | {"RAY_ADDRESS": ""}, check=True
    )
    assert done.stdout.strip() == "0"


def test_the_threshold_command_needs_neither_ray_nor_torch() -> None:
    code = (
        "import sys; from tautune.commands import app as cli\nsys.argv = 'tautune threshold --delay 3 --json'.split()\n"
        "try: cli.main()\nexcept SystemExit: print(sorted({'ray', 'torch'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


ENDING = """
import os, sys
from tautune.__main__ import main

class Aborts:
    def __del__(self):
        os.abort()

kept = Aborts()
sys.argv = ["tautune", *sys.argv[1:]]
main()
"""
"""A program whose interpreter cannot be taken apart, as beside a thread of a storage library."""


@pytest.mark.parametrize(("arguments", "code"), [(["studies"], 0), (["threshold", "--delay", "x"], 2)], ids=str)
def test_a_command_ends_with_its_own_code_whatever_the_end_of_the_interpreter_would_bring(
    arguments: list[str], code: int
) -> None:
    ended = subprocess.run([sys.executable, "-c", ENDING, *arguments], capture_output=True, text=True, timeout=100)
    assert ended.returncode == code, ended.stderr
    assert ended.stderr.count("\n") == (code == 2)
    assert ("digits" in ended.stdout) == (code == 0)
