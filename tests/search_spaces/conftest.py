"""A project folder of a user's: a study file, modules beside it, and files whose names others have too."""

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tautune.search_spaces import study_modules

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
