"""What is wrong with a command is said before anything heavy is imported."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tautune.records.errors import InputError
from tautune.runners.tuning_checks import RAREST, Options, check_extensible, is_whole, read_findable
from tests.records.test_run_folder import TUNING
from tests.runners.test_trials import begin, result

BAD = {
    "tune digit_mlp": "study 'digit_mlp' is unknown; did you mean digits_mlp",
    "tune digits_mlp --search hyperop": "search 'hyperop' is unknown; did you mean hyperopt",
    "tune digits_mlp --scheduler ash": "scheduler 'ash' is unknown; did you mean asha",
    "tune digits_mlp --search grid": "search grid needs choices, and learning_rate is a range",
    "tune digits_mlp --scheduler pbt": "use it with search random",
    "tune digits_mlp --search random --scheduler pb2": "batch_size is none; fix its value, or use pbt",
    "tune digits_mlp --search cmaes --set l2=0 --set dropout=0 --set momentum=0": "needs at least two of them",
    "tune optimizers --search pso": "search pso moves through ranges, and the space has none",
    "tune digits_mlp --set delya=8": "hyperparameter 'delya' is unknown; did you mean delay",
    "tune digits_mlp --set dropout=2": "dropout must be in [0, 1], not 2",
    "tune digits_mlp --folds 500": "folds must be at most 139, the images of the rarest class",
    "tune digits_mlp --examples 5": "the images of digits_mlp cannot be divided so",
    "tune digits_mlp --cpus-per-trial 0": "--cpus-per-trial must be above 0, and finite, not 0",
    "tune digits_mlp --output done": "done holds a run; go on with it by `tautune resume`",
    "tune digits_mlp --output notes": "notes exists and is not an empty folder",
    "tune optimizers --trials 3": "trials must be left out with the search grid",
    "tune mnist_cnn_grid --data-dir nowhere": "there is no folder nowhere",
    "tune nowhere.py": "there is no study file nowhere.py",
    "resume notes": "notes holds no run.json",
    "resume gone": "there is no such file any more",
    "resume python": "came from Python",
    "extend grid --trials 3": "all of its configurations were tried",
    "extend cut --trials 3": "go on with `tautune resume cut` first",
    "results done --sort unit": "there is no column 'unit'",
    "refit used": "its test images were used; --again (again=True) uses them twice",
    "refit done": "has no best.json",
    "transfer done": "give --delay, --delays-from, --delay-shares or --workers",
    "transfer done --workers 0": "--workers must be at least 1, not 0",
    "transfer done --workers 4 --delay 3": "--workers says the delay",
    "transfer done --delay -1": "delay must be an integer ≥ 0 (optimizer steps), not -1",
    "transfer notes --delay 8": "notes holds no run.json",
    "transfer cut --delay 8": "go on with `tautune resume cut` first",
    "transfer done --delay 8": "has no best.json",
    "transfer late --delay 8": "the best configuration of late has a delay already, 4",
    "transfer helped --delay 8": "the best configuration of helped has a remedy already, predict:3",
    "transfer shifted --delay-shares 0:0.5,8:0.5": "it cannot have delays that vary",
    "transfer adam --delay 20000": "delays must be at most 10,000 steps for advice, not 20,000",
    "transfer scaled --delay 8 --sharpness 5": "searched in normalized rates, of the sharpness 20 that its space has",
    "transfer adagrad --delay 8": "optimizer adagrad has no threshold in theory; sgd, momentum, nesterov",
    "transfer adam --delay 8 --output done": "done holds a run",
    "tune digits_mlp --output carried": "carried holds a run; refit what it carries by `tautune refit`, or give a new",
    "resume carried": "carried has the best configuration of done at another delay, and no trials",
    "results carried": "carried has the best configuration of done at another delay, and no trials",
    "extend carried --trials 3": "refit it, or go on with done",
    "predict done x.png": "there is no done/model.pt; make it with `tautune refit done`",
    "predict broken x.png": "broken/model.pt is damaged",
}
LIGHT = """
import io, json, sys
from contextlib import redirect_stderr
from tautune.commands import app
for command in json.load(sys.stdin):
    sys.argv, said, code = ["tautune", *command.split()], io.StringIO(), 0
    with redirect_stderr(said):
        try:
            app.main()
        except SystemExit as end:
            code = end.code
    print(json.dumps([command, code, said.getvalue(), sorted({"torch", "ray", "pandas"} & sys.modules.keys())]))
"""


def write(folder: Path, run: dict[str, Any], **configuration: Any) -> None:
    folder.mkdir()
    whole = {"configuration": TUNING | configuration, "runs": [{"experiment": "trials", "trials": 1} | run]}
    (folder / "run.json").write_text(json.dumps(whole))


def test_bad_input_is_told_without_torch_or_ray(tmp_path: Path) -> None:
    done = {"finished": "2026-01-01"}
    write(tmp_path / "done", done)
    write(tmp_path / "cut", {})
    write(tmp_path / "grid", done, search="grid")
    write(tmp_path / "gone", done, study="/nowhere/mine.py")
    write(tmp_path / "python", done, study="mine")
    write(tmp_path / "used", done)
    (tmp_path / "used" / "test.json").write_text("{}")
    best_of = {
        **{
            "late": {"delay": 4},
            "helped": {"remedy": "predict:3"},
            "scaled": {"normalized_rate": 0.5, "sharpness": 20},
        },
        **{"adagrad": {"optimizer": "adagrad"}, "shifted": {"optimizer": "shifted-momentum"}, "adam": {}},
    }
    for name, config in best_of.items():
        write(tmp_path / name, done)
        best = {"trial": "a", "config": config, "epochs": 1, "history": []}
        (tmp_path / name / "best.json").write_text(json.dumps(best))
    write(tmp_path / "carried", done)
    carried = json.loads((tmp_path / "carried" / "run.json").read_text()) | {"transferred": {"from": "done"}}
    (tmp_path / "carried" / "run.json").write_text(json.dumps(carried))
    for name in ("notes", "broken"):
        (tmp_path / name).mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("")
    (tmp_path / "broken" / "model.pt").write_bytes(b"PK\x03\x04 no model")
    before = sorted(tmp_path.rglob("*"))
    process = [sys.executable, "-c", LIGHT]
    ran = subprocess.run(process, input=json.dumps(list(BAD)), cwd=tmp_path, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [command for command, *_ in answers] == list(BAD)
    for command, code, said, heavy in answers:
        assert (code, heavy) == (2, []), command
        (line,) = said.splitlines()
        assert BAD[command] in line
    after = sorted(file for file in tmp_path.rglob("*") if file.name != ".lock")  # `extend` looks whether a run writes
    assert after == before


def test_the_images_of_the_rarest_class_are_those_of_the_data() -> None:
    from tautune.trainables.supervised.datasets import load

    assert int(load("digits").train.targets.bincount().min()) == RAREST["digits"]


def test_a_run_with_trials_that_were_interrupted_is_not_whole_though_an_earlier_version_said_so(tmp_path: Path) -> None:
    write(tmp_path / "out", {"finished": "2026-01-01", "stopped_by_budget": False})
    trials = begin(tmp_path / "out")
    trials.report("a", 1, {}, result(0.0, 1e3, 1, failed=1, failure="ValueError"))
    trials.report("b", 2, {}, result(0.9, 0.1, 1))
    trials.interrupt()
    run = read_findable(tmp_path / "out", has_study=False, trust=False)
    assert not is_whole(tmp_path / "out", run)
    with pytest.raises(InputError, match="go on with `tautune resume"):
        check_extensible(tmp_path / "out", run)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trials": 0}, "trials must be above 0"),
        ({"time_budget": float("inf")}, "time_budget must be above 0, and finite"),
        ({"gpus_per_trial": 1.5}, "must be a share of one GPU or a whole number"),
        ({"search": "gird"}, "search 'gird' is unknown; did you mean grid"),
        ({"search": "grid", "trials": 3}, "trials must be left out with the search grid"),
    ],
)
def test_options_out_of_their_bounds(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Options(**options)
