"""The wheel, installed for somebody whose folder holds files with the names of our rooms.

Every command that needs no cluster runs there, as `tautune`, as `python -m tautune` and through `import tautune`.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("analysis", "cluster", "commands", "records", "runners", "search_spaces", "trainables")
HOSTILE = ("analysis.py", "cluster/__init__.py", "trainables/__init__.py", "records.py", "runners/__init__.py",
           "commands.py", "search_spaces/__init__.py")  # fmt: skip
PACKED = ("pyproject.toml", "README.md", "LICENSE", "cluster.yaml", "tautune", *ROOMS)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the wheel, built from an unpacked source distribution as a package index would have it."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "tree").mkdir()
    for name in PACKED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, folder / "tree" / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / "tree" / name)
    build = "from setuptools import build_meta; build_meta.build_sdist('..')"
    run([sys.executable, "-c", build], folder / "tree")
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder / "source", filter="data")
    source = next((folder / "source").iterdir())
    pip(["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(source)])
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the programs of an environment that has the wheel and, without our source tree, the locked versions."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip(["--python", str(python), "install", "--no-deps", "--no-index", str(wheel)])
    packages = next((folder / "lib").glob("python*")) / "site-packages"
    # A folder named so is looked at for packages, but its own .pth files, our editable install, are not read.
    (packages / "locked.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns a user's folder in which importing anything that is called like a room of ours raises."""
    for name in HOSTILE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"raise RuntimeError('{name} of the user was imported')\n")
    return tmp_path


def surroundings() -> dict[str, str]:
    """Returns a user's environment variables, without this tree on Python's path."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "RAY_ADDRESS")}


def run(command: list[str], folder: Path, code: int = 0) -> str:
    """Runs a command in the user's folder; returns what it printed."""
    done = subprocess.run(command, cwd=folder, env=surroundings(), capture_output=True, text=True, check=False)
    assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + (done.stderr if code else "")


def pip(arguments: list[str]) -> None:
    run([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], ROOT.parent)


def test_the_wheel_holds_every_file_of_the_rooms_and_nothing_else(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"tautune"}
    packed = {name.removeprefix("tautune/") for name in names if name.startswith("tautune/")}
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*")] + list((ROOT / "tautune").glob("*.*"))
    ours = {file for file in files if file.is_file() and "__pycache__" not in file.parts}
    assert packed == {str(file.relative_to(ROOT)).removeprefix("tautune/") for file in ours}
    assert {"py.typed", "cluster/providers/setup.sh", "cluster/providers/Dockerfile"} <= packed
    aws = ZipFile(wheel).read("tautune/cluster/providers/aws.yaml")
    assert aws == (ROOT / "cluster.yaml").read_bytes()


def test_what_needs_no_ray(programs: Path, folder: Path) -> None:
    assert "0.4" in run([str(programs / "tautune"), "threshold", "--delay", "3"], folder)
    assert "0.4" in run([str(programs / "python"), "-m", "tautune", "threshold", "--delay", "3"], folder)
    assert "quadratic" in run([str(programs / "tautune"), "studies"], folder)
    assert "--delays" in run([str(programs / "tautune"), "sweep", "--help"], folder)


def test_a_script_of_the_users(programs: Path, folder: Path) -> None:
    script = "import tautune; print(f'{tautune.threshold(3):.4f}', tautune.GradientQueue.__name__, tautune.__file__)"
    (folder / "script.py").write_text(script)
    threshold, name, file = run([str(programs / "python"), "script.py"], folder).split()
    assert (threshold, name) == ("0.4450", "GradientQueue")
    assert Path(file).is_relative_to(programs.parent)


@pytest.mark.wheel
@pytest.mark.timeout(600)
def test_sweeps_and_grids(programs: Path, folder: Path) -> None:
    tautune = str(programs / "tautune")
    run([tautune, "sweep", "quadratic", "--delays", "0,1", "--output", "swept"], folder)
    assert {"thresholds.json", "thresholds.png", "run.json"} <= {file.name for file in (folder / "swept").iterdir()}
    script = (
        "import tautune\n"
        "tautune.sweep('quadratic', delays=[0, 2], departures=False, output='swept')\n"
        "print(*tautune.load('swept').to_frame().delay)\n"
    )
    (folder / "script.py").write_text(script)
    assert run([str(programs / "python"), "script.py"], folder).split() == ["0", "1", "2"]
    run([tautune, "grid", "quadratic", "--delays", "0,1", "--learning-rates", "2", "--steps", "5",
         "--output", "grid"], folder)  # fmt: skip
    assert len((folder / "grid" / "points.csv").read_text().splitlines()) == 1 + 2 * 2
    assert "http://127.0.0.1:" in board(programs, folder, "swept")


def board(programs: Path, folder: Path, results: str) -> str:
    """Returns what `tautune board` says until TensorBoard answers, and ends it."""
    command = [str(programs / "tautune"), "board", results, "--port", "0"]
    process = subprocess.Popen(command, cwd=folder, env=surroundings(), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "http://" in line:
            break
    process.terminate()
    process.wait()
    return said


@pytest.mark.wheel
@pytest.mark.timeout(600)
def test_clusters(programs: Path, folder: Path) -> None:
    tautune = str(programs / "tautune")
    run([tautune, "doctor"], folder)
    for command in ("jobs --cluster", "logs job --cluster", "stop job --cluster", "fetch job results/job --cluster",
                    "up", "down"):  # fmt: skip
        assert "no cluster file other.yaml" in run([tautune, *command.split(), "other.yaml"], folder, code=2)
    submit = [tautune, "submit", "--cluster", "other.yaml", "--", "sweep", "digits"]
    assert "no cluster file other.yaml" in run(submit, folder, code=2)


@pytest.mark.wheel
@pytest.mark.timeout(600)
def test_a_study_of_the_users(programs: Path, folder: Path) -> None:
    shutil.copy(ROOT / "examples" / "own_minimum.py", folder / "my_study.py")
    run([str(programs / "tautune"), "sweep", "my_study.py", "--delays", "0,1", "--output", "swept"], folder)
    assert (folder / "swept" / "thresholds.json").exists()


@pytest.mark.wheel
@pytest.mark.timeout(600)
def test_a_tuning_to_its_prediction(programs: Path, folder: Path) -> None:
    tautune = str(programs / "tautune")
    shutil.copy(ROOT / "docs" / "digits.png", folder)
    run([tautune, "tune", "digits_mlp", "--trials", "2", "--max-epochs", "1", "--output", "tuned"], folder)
    run([tautune, "resume", "tuned"], folder)
    run([tautune, "extend", "tuned", "--trials", "1"], folder)
    assert "accuracy" in run([tautune, "results", "tuned"], folder)
    run([tautune, "refit", "tuned"], folder)
    assert "digits.png" in run([tautune, "predict", "tuned", "digits.png"], folder)
