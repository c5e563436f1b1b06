"""A study's own file, in a folder full of hostile names and with modules beside it."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray import cloudpickle

from tautune import search_spaces
from tautune.search_spaces import study_modules
from tautune.search_spaces.study_sources import sources_of
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.theory.problem import ProblemParts

STUDY = """
from ray import tune
import helper
from blocks import Block
from blocks.sizes import WIDTH
from utils import twice
from tautune.search_spaces.tuning_study import TuningStudy

def model(shape, classes, *, width):
    import late
    from blocks.late_block import late_block
    return late.flat(helper.network(Block(twice(width)), late_block()))

STUDY = TuningStudy(
    name="mine",
    description="",
    data="digits",
    model=model,
    space={"width": tune.choice([WIDTH])},
    max_epochs=1,
    trials=1,
)
"""
FILES = {
    "mine.py": STUDY,
    "helper.py": """
        import threading
        from functools import lru_cache

        LOCK = threading.Lock()  # which cannot be pickled

        @lru_cache
        def classes():
            return 10

        def network(*blocks):
            from torch import nn
            with LOCK:
                return nn.Sequential(nn.Flatten(), *blocks, nn.LazyLinear(classes()))
        """,
    "late.py": "def flat(network):\n    from blocks import sizes\n    assert sizes.WIDTH == 3\n    return network\n",
    "utils.py": "def twice(number):\n    return 2 * number\n",
    "blocks/__init__.py": "from .block import Block\n",
    "blocks/block.py": """
        from torch import nn

        class Block(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.layer = nn.Linear(64, width)

            def forward(self, inputs):
                from .activation import activation
                return activation(self.layer(inputs))
        """,
    "blocks/activation.py": "from torch import tanh as activation\n",
    "blocks/late_block.py": "from torch.nn import Identity as late_block\n",
    "blocks/sizes.py": "WIDTH = 3\n",
}
HOSTILE = (
    *("analysis.py", "records.py", "queue.py", "random.py", "torch.py", "ray.py", "sklearn.py", "distributed.py"),
    *("cluster/__init__.py", "runners/__init__.py", "trainables/x.py", "search_spaces/names.py", "commands/app.py"),
    *("tautune/__init__.py", "numpy/__init__.py", "tests/conftest.py"),
)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A folder of the user's; what is imported from it is forgotten."""
    meta_path = list(sys.meta_path)
    write(tmp_path, FILES | {name: "raise RuntimeError('a hostile file was imported')" for name in HOSTILE})
    yield tmp_path
    study_modules.install(study_modules.StudyModules("none", {}))
    sys.meta_path[:] = meta_path


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


MISTAKES: dict[str, tuple[str, list[str], str]] = {
    "raises": ("x = 1\n1 / 0\n", ["mine.py", "line 2"], "mine.py cannot be used: ZeroDivisionError: division by zero"),
    "raises in a helper": (
        "import bad_helper\n",
        ["mine.py", "line 1", "bad_helper.py", "line 2"],
        "mine.py cannot be used: KeyError: 'x'",
    ),
    "wrong syntax": ("x = 1\ndef f(:\n", ["line 2", "def f(:"], "mine.py cannot be used: SyntaxError: invalid syntax"),
    "several lines": ("raise ValueError('one\\ntwo')", ["line 1", "two"], "mine.py cannot be used: ValueError: one"),
    "not text": ("x = '\udcff'\n", [], "mine.py cannot be used: SyntaxError"),
    "ends the program": ("import sys\nsys.exit(0)\n", ["line 2"], "it ends the program with sys.exit() as soon as"),
    "missing module": ("import nowhere_at_all", ["line 1"], "ModuleNotFoundError: No module named 'nowhere_at_all'"),
    "without a study": ("x = 1", [], "must set STUDY to a tautune.TuningStudy or a tautune.StabilityStudy, and there"),
    "no study": ("STUDY = 1", [], "must set STUDY to a tautune.TuningStudy or a tautune.StabilityStudy, not int"),
    "other kind": (
        "from tautune.search_spaces.quadratic import STUDY",
        [],
        "mine.py is a StabilityStudy: use `tautune sweep` or `tautune grid`",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_study_file_ends_in_one_line_that_says_it(project: Path, mistake: str) -> None:
    code, shown, last = MISTAKES[mistake]
    (project / "bad_helper.py").write_text("names = {}\nnames['x']\n")
    (project / "mine.py").write_bytes(code.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=r".") as raised:
        search_spaces.find_tuning(str(project / "mine.py"))
    *before, line = str(raised.value).splitlines()
    assert last in line
    position = 0
    for part in shown:
        position = "\n".join(before).index(part, position)
    assert "importlib" not in "\n".join(before)


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


def test_a_tuning_study_is_not_measured(project: Path) -> None:
    with pytest.raises(ValueError, match=r"mine.py is a TuningStudy: use `tautune tune`"):
        search_spaces.find(str(project / "mine.py"))


def test_a_study_knows_its_file(project: Path) -> None:
    study: Any = search_spaces.find_tuning(str(project / "mine.py"))
    assert isinstance(study, TuningStudy)
    assert study.source == project / "mine.py"
