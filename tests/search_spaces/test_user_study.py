"""A study's own file, in a folder full of hostile names and with modules beside it."""

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from ray import cloudpickle

import tautune
from tautune import search_spaces
from tautune.search_spaces.study_sources import sources_of
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.theory.problem import ProblemParts
from tests.search_spaces.conftest import FILES, STUDY, write

BUILD = """
import pickle, sys, torch
study = pickle.loads(sys.stdin.buffer.read())
model = study.model((1, 8, 8), 10, width=4)
print(tuple(model(torch.zeros(2, 1, 8, 8)).shape), sorted(name for name in sys.modules if name in {names}))
"""


def test_modules_beside_travel_to_a_process_that_has_none_of_the_files(project: Path, tmp_path: Path) -> None:
    study = search_spaces.find_tuning(str(project / "mine.py"))
    pickled = cloudpickle.dumps(study)
    for file in project.rglob("*.py"):
        file.unlink()
    program = BUILD.format(names={"late", "helper", "utils", "blocks", "blocks.late_block"})
    done = subprocess.run([sys.executable, "-c", program], input=pickled, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert "(2, 10)" in done.stdout.decode()


def test_what_is_imported_inside_functions_is_known_before_anything_runs(project: Path) -> None:
    sources = sources_of("study", project / "mine.py", (project,))
    expected = {"study", "helper", "late", "utils", "blocks"}
    assert {name.partition(".")[0] for name in sources} == expected
    assert {"blocks.block", "blocks.activation", "blocks.late_block", "blocks.sizes"} < set(sources)


@pytest.mark.process
@pytest.mark.ray
def test_a_study_with_modules_beside_it_is_tuned_among_hostile_names(project: Path) -> None:
    elsewhere = project / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, "-m", "tautune", "tune", str(project / "mine.py"), "--output", "out"]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr
    assert (elsewhere / "out" / "best.json").is_file()


def test_only_the_study_finds_what_lies_beside_it(project: Path) -> None:
    write(
        project, {"mine.py": "import importlib\nlate = importlib.import_module('la' + 'te')\n" + textwrap.dedent(STUDY)}
    )
    search_spaces.find_tuning(str(project / "mine.py"))
    assert sys.modules["late"].__file__ == str(project / "late.py")
    with pytest.raises(ModuleNotFoundError):
        __import__("distributed")  # as libraries try whether an optional one is there
    assert str(project) not in sys.path


def test_two_studies_have_each_its_own_helper(project: Path) -> None:
    text = "import utils\n" + textwrap.dedent(STUDY).replace('description=""', "description=str(utils.twice(1))")
    write(project, {"mine.py": text})
    write(project / "other", FILES | {"mine.py": text, "utils.py": "def twice(number):\n    return 7\n"})
    first = search_spaces.find_tuning(str(project / "mine.py"))
    second = search_spaces.find_tuning(str(project / "other" / "mine.py"))
    assert (first.description, second.description) == ("2", "7")
    write(project, {"utils.py": "def twice(number):\n    return 3\n"})
    assert search_spaces.find_tuning(str(project / "mine.py")).description == "3"


def test_a_study_in_a_package_imports_its_siblings(project: Path) -> None:
    text = textwrap.dedent(STUDY).replace("import helper", "from . import helper")
    text = text.replace("    import late\n", "    from . import late\n")
    write(project / "pkg", FILES | {"mine.py": text, "__init__.py": ""})
    study = search_spaces.find_tuning(str(project / "pkg" / "mine.py"))
    done = subprocess.run(
        [sys.executable, "-c", BUILD.format(names={"pkg.late"})],
        input=cloudpickle.dumps(study),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert "pkg.late" in done.stdout.decode()


def test_a_worker_forgets_an_earlier_version_of_the_same_study(project: Path) -> None:
    path = project / "mine.py"

    def pickled() -> bytes:
        said: bytes = cloudpickle.dumps(search_spaces.find_tuning(str(path)))
        return said

    first = pickled()
    write(project, {"late.py": "def flat(network):\n    return network[:1]\n"})
    second = pickled()
    program = """
import pickle, sys
for pickled in pickle.loads(sys.stdin.buffer.read()):
    print(len(pickle.loads(pickled).model((1, 8, 8), 10, width=4)))
"""
    given = cloudpickle.dumps([first, second, first])
    done = subprocess.run([sys.executable, "-c", program], input=given, capture_output=True, check=False)
    assert done.stdout.decode().split() == ["4", "1", "4"], done.stderr.decode()


def test_a_study_knows_its_file(project: Path) -> None:
    study: Any = search_spaces.find_tuning(str(project / "mine.py"))
    assert isinstance(study, TuningStudy)
    assert study.source == project / "mine.py"


MEASURED = """
import torch
from helper import network
from blocks import Block
from tautune.search_spaces.stability_study import StabilityStudy

def loss(outputs, targets):
    import late
    return torch.nn.functional.cross_entropy(late.flat(outputs), targets)

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block(10)

    def forward(self, inputs):
        from blocks.late_block import late_block
        return late_block()(self.block(inputs))

STUDY = StabilityStudy(
    name="mine",
    description="",
    data=lambda: (torch.zeros(6, 64), torch.arange(6)),
    model=Model,
    loss=loss,
)
"""


def test_a_measured_problem_arrives_where_there_are_none_of_the_files(project: Path) -> None:
    write(project, {"mine.py": MEASURED})
    study = search_spaces.find(str(project / "mine.py"))
    assert study.source == project / "mine.py"
    problem = study.problem()
    pickled = cloudpickle.dumps(ProblemParts.of(problem))
    value, _ = problem.value_and_gradient(problem.point)
    for file in project.rglob("*.py"):
        file.unlink()
    program = """
import pickle, sys
problem = pickle.loads(sys.stdin.buffer.read()).on("cpu")
print(problem.value_and_gradient(problem.point)[0])
"""
    done = subprocess.run([sys.executable, "-c", program], input=pickled, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert float(done.stdout) == value


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_file_whose_study_has_another_name_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my_study.py").write_text(
        "from dataclasses import replace\n"
        "from tautune.search_spaces.quadratic import STUDY as ours\n"
        "STUDY = replace(ours, name='another')\n"
    )
    for delays in ([0], [0, 2]):
        thresholds = tautune.sweep("my_study.py", delays=delays, departures=False)
        grid = tautune.grid("my_study.py", delays=delays, learning_rates=[0.1, 0.2], steps=3)
    assert thresholds.path == tmp_path / "results/my_study"
    assert [point.delay for point in thresholds.points] == [0, 2]
    assert len(grid.trials) == 4
