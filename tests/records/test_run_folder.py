"""One protocol for every kind of run: lock, read, check, write."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tautune.records.errors import InputError
from tautune.records.grid_folder import GridFolder
from tautune.records.run_file import check_output, kind_of
from tautune.records.run_folder import RunFolder
from tautune.records.sweep_folder import SweepFolder
from tautune.records.tuning_folder import FORMAT, TuningFolder, check_new

SWEEP = {"study": "digits", "resolution": 0.005}
GRID = {"study": "digits", "steps": 100}
TUNING = {
    **{"kind": "tuning", "format": FORMAT, "study": "digits_mlp", "space": {}, "set": {}, "search": "random"},
    **{"scheduler": "asha", "trials": 1, "max_epochs": 1, "folds": 1, "repeats": 1, "seed": 0, "split_seed": 0},
    **{"cpus_per_trial": 1, "gpus_per_trial": 0},
    **dict.fromkeys(("concurrent", "time_budget", "examples", "data_dir")),
}
BENCHMARKS = Path(__file__).parents[2] / "benchmarks" / "results"


def make_run(kind: str, path: Path) -> RunFolder:
    folders = {"sweep": (SweepFolder, SWEEP), "grid": (GridFolder, GRID), "tuning": (TuningFolder, TUNING)}
    make, configuration = folders[kind]
    folder: RunFolder = make(path, configuration)
    with folder:
        folder.begin(started="now", experiment="trials", trials=1)
    return folder


def runs_in(path: Path) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = json.loads((path / "run.json").read_text())["runs"]
    return runs


COUNT = """
import sys
from pathlib import Path
from tautune.records.errors import InputError
from tautune.records.sweep_folder import SweepFolder
path, configuration = Path(sys.argv[1]), {"study": "digits", "resolution": 0.005}
print("ready", flush=True)
sys.stdin.readline()
kept = 0
while kept < 100:
    try:
        with SweepFolder(path, configuration) as folder:
            folder.begin(writer=sys.argv[2])
            kept += 1
    except InputError as error:
        assert "is being written by another run" in str(error), error
"""


def test_two_runs_that_start_together_keep_what_both_wrote(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", COUNT, str(path), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("a", "b")
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.wait(timeout=100) for process in processes] == [0, 0]
    writers = [run["writer"] for run in runs_in(path)]
    assert sorted(writers) == ["a"] * 100 + ["b"] * 100


HOLD = """
import sys
from pathlib import Path
from tautune.records.grid_folder import GridFolder
with GridFolder(Path(sys.argv[1]), {"study": "digits", "steps": 100}) as folder:
    print("held", flush=True)
    sys.stdin.readline()
    folder.begin(writer="the other")
"""


def test_what_another_process_writes_under_its_lock_is_read_after_it(tmp_path: Path) -> None:
    code = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        mine = GridFolder(tmp_path, GRID)
        with pytest.raises(InputError, match="is being written by another run; wait for its end"):
            mine.__enter__()
        other.communicate("\n")
    assert mine.run == {}
    with mine:
        mine.begin(writer="mine", experiment="trials", trials=1)
    assert [run["writer"] for run in runs_in(tmp_path)] == ["the other", "mine"]


def test_a_new_tuning_does_not_write_over_one_that_was_quicker(tmp_path: Path) -> None:
    slow = TuningFolder(tmp_path / "out", TUNING)
    make_run("tuning", tmp_path / "out")
    with pytest.raises(InputError, match="holds a run; go on with it by `tautune resume`"):
        slow.__enter__()
    with TuningFolder(tmp_path / "out") as folder:  # the lock was given back
        folder.end(finished="now")
    assert [run["finished"] for run in runs_in(tmp_path / "out")] == ["now"]


def test_an_edge_has_its_article(tmp_path: Path) -> None:
    make_run("sweep", tmp_path / "out")
    with pytest.raises(InputError, match="holds a sweep, not an edge; give another folder"):
        check_output(tmp_path / "out", "edge")


def test_a_killed_run_holds_no_lock_and_leaves_a_folder_that_a_new_one_may_use(tmp_path: Path) -> None:
    path = tmp_path / "out"
    code = HOLD.replace("sys.stdin.readline()", "import os; os.kill(os.getpid(), 9)")
    assert subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=False).returncode == -9
    (path / ".run.json.0123abcd.part").write_text("{")
    assert check_new(path) == path
    make_run("grid", path)


@pytest.mark.parametrize("kind", ["sweep", "grid", "tuning"])
def test_a_folder_says_what_it_holds_and_no_other_kind_of_run_uses_it(kind: str, tmp_path: Path) -> None:
    make_run(kind, tmp_path / "out")
    before = (tmp_path / "out" / "run.json").read_text()
    assert kind_of(tmp_path / "out") == kind
    for other in {"sweep", "grid", "tuning"} - {kind}:
        expected = "holds a run; go on with it" if other == "tuning" else f"holds a {kind}, not a {other}"
        with pytest.raises(InputError, match=expected):
            make_run(other, tmp_path / "out")
        with pytest.raises(InputError, match=f"holds a {kind}, not a {other}; give another folder"):
            check_output(tmp_path / "out", other)  # type: ignore[arg-type]
    assert check_output(tmp_path / "out", kind) == tmp_path / "out"
    assert (tmp_path / "out" / "run.json").read_text() == before


def test_a_run_in_which_nothing_began_leaves_nothing(tmp_path: Path) -> None:
    with SweepFolder(tmp_path / "new" / "out", SWEEP):
        assert (tmp_path / "new" / "out" / ".lock").exists()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    with SweepFolder(tmp_path / "mine", SWEEP):
        pass
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]


def test_looking_at_a_folder_changes_nothing(tmp_path: Path) -> None:
    assert check_output(tmp_path / "a" / "b", "sweep") == tmp_path / "a" / "b"
    assert check_new(tmp_path / "a") == tmp_path / "a"
    SweepFolder(tmp_path / "a", SWEEP)
    assert list(tmp_path.iterdir()) == []


def test_folders_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    for name, text in {"cut": "{", "list": '{"configuration": []}', "path": '{"configuration": {"kind": "p"}}'}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)
    expected = {
        tmp_path / "file": "file is a file; give a folder",
        tmp_path / "file" / "in": "in cannot be written: Not a directory",
        tmp_path / "full": "holds files but no run.json; give an empty or a new folder",
        tmp_path / "cut": "run.json is damaged: not JSON",
        tmp_path / "list": "run.json is damaged: Expected `object`, got `array` - at `.*configuration`",
        tmp_path / "path": "holds a run of the unknown kind 'p', not a grid",
        Path("/proc/none/out"): "/proc/none/out cannot be written: No such file or directory",
        tmp_path / ("x" * 300): "cannot be read: File name too long",
    }
    for path, message in expected.items():
        with pytest.raises(InputError, match=message):
            check_output(path, "grid")
        with pytest.raises(InputError, match=message), GridFolder(path, GRID):
            pass
    with pytest.raises(InputError, match="full holds no run.json"):
        kind_of(tmp_path / "full")
    with pytest.raises(InputError, match="is not of a sweep, grid, edge, tuning, simulation or probe"):
        kind_of(tmp_path / "path")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("digits", "sweep"), ("digits-batch-256", "sweep"), ("digits_mlp-4", "tuning"), ("fashion_mnist_grid", "tuning")],
)
def test_folders_of_version_0_1_0_are_known_and_gone_on_with(name: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / name
    shutil.copytree(BENCHMARKS / name, path)
    old = json.loads((path / "run.json").read_text())
    assert kind_of(path) == kind
    configuration = old["configuration"]
    with SweepFolder(path, configuration) if kind == "sweep" else TuningFolder(path) as folder:
        assert folder.run == old
        folder.begin(started="again")
    assert kind_of(path) == kind
    new = json.loads((path / "run.json").read_text())
    assert new == old | {
        "configuration": {"kind": kind} | configuration,
        "runs": [*old["runs"], {"started": "again"}],
    }


def test_a_grid_of_version_0_1_0_is_known(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"configuration": GRID, "runs": []}))
    assert kind_of(tmp_path) == "grid"


def test_the_folders_are_read_without_torch_ray_or_pandas() -> None:
    rooms = ("sweep_folder", "grid_folder", "tuning_folder", "provenance", "storage", "folder_lock", "run_file")
    imports = "; ".join(f"import tautune.records.{name}" for name in rooms)
    code = f"import sys; {imports}; print({{'torch', 'ray', 'pandas', 'fsspec', 'upath'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
