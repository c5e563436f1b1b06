"""The text of Python's standard library is divided by file, in an order that every machine has."""

import ast
from pathlib import Path

import pytest

from tautune.search_spaces.real_data.standard_library import (
    END_OF_FILE,
    part_of,
    python_bytes,
    source_files,
    texts,
)
from tautune.trainables.supervised.data_files import DataError

NAMES = [f"m{number:02}.py" for number in range(40)]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    for name in reversed(NAMES):  # folders list files in any order
        (tmp_path / name).write_text(f"name = {name!r}\n")
    (tmp_path / "_sysconfigdata__linux_x86_64-linux-gnu.py").write_text("build_time_vars = {}\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "inside.py").write_text("left_out = True\n")
    return tmp_path


def test_each_file_is_whole_in_one_part(library: Path) -> None:
    parts = texts(library)
    found = {part: text.split(END_OF_FILE)[:-1] for part, text in parts.items()}
    for part, files in found.items():
        named = [ast.literal_eval(file.split(b" = ")[1].decode()) for file in files]
        assert named == [name for name in NAMES if part_of(name) == part]
    assert sum(map(len, found.values())) == len(NAMES)


def test_the_parts_of_well_known_files_never_change() -> None:
    known = {"argparse.py": "training", "dataclasses.py": "training", "typing.py": "training"}
    assert {name: part_of(name) for name in known} == known


def test_the_ids_are_the_bytes_and_the_digest_tells_texts_apart(library: Path) -> None:
    data, parts = python_bytes(library), texts(library)
    for name in ("training", "validation", "test"):
        assert bytes(getattr(data, name).tolist()) == parts[name]
    assert python_bytes(library).digest == data.digest
    (library / NAMES[0]).write_text("another = 1\n")
    assert python_bytes(library).digest != data.digest


def test_the_running_pythons_sources_are_real_and_disjoint() -> None:
    parts = texts()
    assert b"class ArgumentParser(" in parts["training"]
    assert len(source_files()) > 100
    files = {part: set(text.split(END_OF_FILE)) - {b""} for part, text in parts.items()}
    assert not files["training"] & (files["validation"] | files["test"])


def test_an_interpreter_without_sources_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needs the sources of Python's standard library, and .* has 0 of them; use an"):
        python_bytes(tmp_path)
