"""Whatever a cluster's file or a study's file holds, it is read, or refused in one line."""

import ast
import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tautune.cluster.remote.cluster_file import read_cluster_file
from tautune.records.errors import InputError
from tautune.search_spaces import find, find_tuning
from tests.records.test_damage import INSTEAD, damaged, nodes

ROOT = Path(__file__).parents[2]
CLUSTERS = [ROOT / "cluster.yaml", *sorted((ROOT / "cluster/providers").glob("*.yaml"))]
NESTED = "[" * 3000
LAUGHS = "a: &a [x, x]\n" + "\n".join(f"{b}: &{b} [*{a}, *{a}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
SETTINGS: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
SEEDS = st.integers(0, 2**32)


def refused_in_one_line(read: Callable[[], object]) -> None:
    said = message_of(read)
    assert "\n" not in said
    assert len(said) < 2000


def message_of(read: Callable[[], object]) -> str:
    """Returns how the read is refused, or a word where it is not."""
    try:
        read()
    except ValueError as error:
        return str(error)
    return "read"


@pytest.mark.timeout(600)
@settings(max_examples=1000, **SETTINGS)
@given(seed=SEEDS)
def test_a_damaged_cluster_file_is_read_or_refused(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    text = chance.choice(CLUSTERS).read_text()
    if chance.random() < 0.4:
        content = damaged(text.encode(), chance)
    else:
        config = copy.deepcopy(next(yaml.safe_load_all(text)))
        for _ in range(chance.randint(1, 3)):
            container, key = chance.choice(list(nodes(config)))
            container[key] = chance.choice(INSTEAD)
        content = yaml.safe_dump(config).encode()
    (tmp_path / "cluster.yaml").write_bytes(content)
    refused_in_one_line(lambda: used(read_cluster_file(tmp_path / "cluster.yaml")))


def used(file: Any) -> None:
    """Asks for all that the commands ask of a file."""
    assert file.name
    assert file.nodes >= 1
    assert all(isinstance(host, str) for host in file.hosts)


@pytest.mark.parametrize(
    "content", [NESTED, LAUGHS, "\0", "&a [*a]", "? [a]\n: b", "!!python/object:os.system {}", "- 1"]
)
def test_a_file_that_is_no_cluster_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(content)
    with pytest.raises(InputError):
        read_cluster_file(tmp_path / "cluster.yaml")


def mistaken(text: str, chance: random.Random) -> str:
    """Returns the source of a study with a line left out, repeated or moved, or with a value replaced."""
    lines = text.splitlines()
    place = chance.randrange(len(lines))
    how = chance.randrange(4)
    if how == 0:
        del lines[place]
    elif how == 1:
        lines.insert(chance.randrange(len(lines)), lines[place])
    elif how == 2:
        lines[place] = lines[place][: chance.randrange(len(lines[place]) + 1)]
    else:
        return replaced(text, chance)
    return "\n".join(lines)


def replaced(text: str, chance: random.Random) -> str:
    """Returns the source with one constant replaced by a value of another kind."""
    tree = ast.parse(text)
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    chance.choice(constants).value = chance.choice([value for value in INSTEAD if not isinstance(value, list | dict)])
    return ast.unparse(tree)


@pytest.mark.timeout(600)
@settings(max_examples=300, **SETTINGS)
@given(seed=SEEDS)
def test_a_mistaken_study_file_is_read_or_refused(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    kinds: list[tuple[str, Callable[[str], object]]] = [("own_minimum.py", find), ("breast_cancer.py", find_tuning)]
    name, read = chance.choice(kinds)
    (tmp_path / name).write_text(mistaken((ROOT / "examples" / name).read_text(), chance))
    assert message_of(lambda: read(str(tmp_path / name)))
