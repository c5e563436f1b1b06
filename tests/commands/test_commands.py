import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tautune.analysis.thresholds import Thresholds
from tautune.commands import app as cli
from tautune.runners.sweep import Sweep
from tautune.trainables.theory.momentum import Momentum


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
    assert " ." not in said.replace(" ..", "")
    assert "[default:" in said


def test_studies_are_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "studies") == 0
    out = capsys.readouterr().out
    assert "digits" in out
    assert "quadratic" in out


def test_without_arguments_it_helps(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch) == 0
    assert "sweep" in capsys.readouterr().out


BAD = {
    "threshold --delay -1": "delay must be an integer ≥ 0 (optimizer steps), not -1",
    "threshold --delay 1.5": "Invalid value for '--delay'",
    "threshold --delay 1 --momentum 1": "momentum must be at least 0 and below 1, not 1.0",
    "threshold --delay 1 --momentum nan": "momentum must be at least 0 and below 1, not nan",
    "threshold --delay 1 --sharpness 0": "sharpness must be a finite number above 0, not 0.0",
    "threshold": "Missing option '--delay'",
    "threshold --delay 1 --momentun 0.9": "No such option: --momentun",
    "frobnicate": "No such command 'frobnicate'",
    "sweep": "Missing argument",
    "sweep digit": "study 'digit' is unknown; did you mean digits?",
    "sweep digits --delays ,": "--delays must be integers ≥ 0 with commas between, as in 0,1,2,4,8, not ','",
    "sweep digits --delays 1,-2": "'-2' is not one",
    "sweep digits --delays 1,2.5": "'2.5' is not one",
    "sweep digits --momentum 1.5": "momentum must be at least 0 and below 1, not 1.5",
    "sweep digits --shifted": "shifted momentum delays the velocity, and so needs a momentum above 0",
    "sweep digits --resolution 0": "--resolution must be between 1e-5 and 0.5, not 0",
    "sweep digits --budget 0": "--budget must be at least 1, not 0",
    "sweep digits --seeds 3": "--seeds must be at least 2, for an uncertainty, and needs mini-batches, not 3",
    "sweep digits --mini-batch 10 --seeds 1": "--seeds must be at least 2, for an uncertainty",
    "sweep digits --delays 1000000": "--delays must be below a million; 1000000 is not",
    f"threshold --delay 1{'0' * 400}": "delay must be at most 1e15",
    "threshold --delay 1 --sharpness 1e-320": "too small for a finite learning rate",
    "board . --port 99999": "Invalid value for '--port'",
    "sweep digits --mini-batch 0": "--mini-batch must be between 1 and the 1797 examples of digits, not 0",
    "sweep digits --mini-batch 5000": "--mini-batch must be between 1 and the 1797 examples of digits, not 5000",
    "sweep digits --first-guess x": "--first-guess must be a number between 1e-6 and 1e6, or none, not 'x'",
    "sweep digits --tolerance 1": "--tolerance must be between 1e-12 and 0.1, not 1.0",
    "sweep digits --resolution nan": "--resolution must be between 1e-5 and 0.5, not nan",
    "sweep digits_mlp": "study digits_mlp is for `tautune tune`",
    "sweep digits --device tpu": "--device must be cpu, cuda or auto, not 'tpu'",
    "sweep digits --output a_file": "a_file is a file; give a folder",
    "sweep digits --output other": "holds files but no run.json",
    "sweep digits --output damaged": "run.json is not JSON",
    "sweep digits --output listed": "run.json is not a tautune file",
    "sweep digits --output /proc/none": "/proc/none cannot be written",
    "grid digit": "study 'digit' is unknown; did you mean digits?",
    "grid digits --delays 1,x": "'x' is not one",
    "grid digits --learning-rates 0": "--learning-rates must be a number of them, a list 0.1,0.3 or a range 1e-3:1:16",
    "grid digits --learning-rates 0.1,-1": "all above 0 and finite, not '0.1,-1'",
    "grid digits --learning-rates 1:0.1:4": "in '1:0.1:4' the first is not below the second",
    "grid digits --learning-rates 0.1:1:1": "or the third not above 1",
    "grid digits --steps 0": "--steps must be at least 1, not 0",
    "grid digits --seeds 0": "--seeds must be at least 1, not 0",
    "grid digits --momentum 1": "momentum must be at least 0 and below 1, not 1.0",
    "grid digits --shifted": "shifted momentum delays the velocity, and so needs a momentum above 0",
    "grid digits --mini-batch 5000": "--mini-batch must be between 1 and the 1797 examples of digits, not 5000",
    "grid digits --points-per-trial many": "--points-per-trial must be a whole number above 0, or auto, not 'many'",
    "grid digits --device tpu": "--device must be cpu, cuda or auto, not 'tpu'",
    "grid quadratic --output other": "holds files but no run.json",
    "grid quadratic --output swept": "swept holds a grid with study = 'digits', not 'quadratic'",
    "tune": "Missing argument",
    "tune digits": "study digits is for `tautune sweep` and `tautune grid`",
    "tune digits_mlp --search hyperop": "--search 'hyperop' is unknown; did you mean hyperopt",
    "tune digits_mlp --scheduler ash": "--scheduler 'ash' is unknown; did you mean asha",
    "tune digits_mlp --search grid": "--search grid needs choices, and learning_rate is a range",
    "tune digits_mlp --scheduler pbt": "--scheduler pbt moves configurations itself; use it with --search random",
    "tune digits_mlp --search random --scheduler pb2": "batch_size is none; fix it with --set, or use pbt",
    "tune digits_mlp --set delya=8": "hyperparameter 'delya' is unknown; did you mean delay",
    "tune digits_mlp --set delay=-8": "delay must be an integer ≥ 0 (optimizer steps), not -8",
    "tune digits_mlp --set delay": "--set takes NAME=VALUE, as in --set delay=8, not 'delay'",
    "tune digits_mlp --set dropout=2": "dropout must be in [0, 1], not 2",
    "tune digits_mlp --set layers=9": "units must be 9 widths for 9 layers",
    "tune digits_mlp --set flip=False": "flip must be true or false, not 'False'",
    "tune digits_mlp --set batch_norm=no": "batch_norm must be true or false, not 'no'",
    "tune digits_mlp --set learning_rate=abc": "learning_rate cannot be 'abc', a str",
    "tune digits_mlp --set optimizer=[1]": "optimizer cannot be [1], a list",
    "tune digits_mlp --set dropout=NaN": "--set takes finite numbers, not NaN",
    "tune digits_mlp --examples 5": "the images of digits_mlp cannot be divided so",
    "tune digits_mlp --folds 500": "folds must be at most",
    "tune digits_mlp --seed 5000000000": "Invalid value for '--seed'",
    "tune digits_mlp --output a[1]": "has one of * ? [ in it",
    "tune optimizers --trials 3": "--trials does not go with --search grid",
    "tune digits_mlp --trials 0": "--trials must be above 0, and finite, not 0",
    "tune digits_mlp --trails 3": "No such option: --trails",
    "tune digits_mlp --folds 0": "Invalid value for '--folds'",
    "tune digits_mlp --time-budget 0": "--time-budget must be above 0, and finite, not 0",
    "tune digits_mlp --gpus-per-trial 1.5": "--gpus-per-trial must be a share of one GPU or a whole number, not 1.5",
    "tune digits_mlp --output a_file": "a_file exists and is not an empty folder; give a new one",
    "tune digits_mlp --output damaged": "damaged holds a run; go on with it by `tautune resume`",
    "tune mnist_cnn_grid --data-dir nowhere": "there is no folder nowhere to look for mnist in",
    "tune nowhere.py": "there is no study file nowhere.py",
    "tune a_study.py": "a_study.py must set STUDY to a tautune.TuningStudy or a tautune.StabilityStudy, not int",
    "resume other": "other holds no run.json; give a folder that a run of tautune wrote",
    "extend other --trials 3": "other holds no run.json",
    "results damaged": "run.json is not JSON",
    "results old": "old was written by another version of tautune (0.0.9): its format is 1, and this one reads 2",
    "results swept": "swept holds no tuning",
    "refit other": "other holds no run.json",
    "predict other x.png": "there is no other/model.pt; make it with `tautune refit other`",
    "predict broken x.png": "broken/model.pt is damaged, or not a model of tautune",
    "tune digits_mlp --time-budget inf": "--time-budget must be above 0, and finite, not inf",
    "extend partial --trials 2": "run.json is damaged: a part of it is missing",
    "results partial": "run.json is damaged: a part of it is missing",
    "board nowhere": "there is no folder nowhere",
}


def prepare(folder: Path) -> None:
    """Fills a folder with what the commands of `BAD` speak of."""
    (folder / "a_file").write_text("mine")
    for name, file, text in (("other", "mine.txt", ""), ("damaged", "run.json", "{"), ("listed", "run.json", "[]")):
        (folder / name).mkdir()
        (folder / name / file).write_text(text)
    (folder / "old").mkdir()
    old = {"configuration": {"kind": "tuning"}, "versions": {"tautune": "0.0.9"}}
    (folder / "old" / "run.json").write_text(json.dumps(old))
    (folder / "swept").mkdir()
    (folder / "swept" / "run.json").write_text('{"configuration": {"study": "digits"}}')
    (folder / "partial").mkdir()
    (folder / "partial" / "run.json").write_text('{"configuration": {"kind": "tuning", "format": 2}}')
    (folder / "broken").mkdir()
    (folder / "broken" / "model.pt").write_bytes(b"PK\x03\x04 no model")
    (folder / "a_study.py").write_text("STUDY = 1")


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
    from tautune.runners.tuning_job import make_tuning

    asked = []
    monkeypatch.setattr(_tune, "carry_out", lambda *arguments: asked.append(arguments))
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
