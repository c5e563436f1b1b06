"""The sources of the running Python's standard library as one text of bytes, divided by file.

The text is that of the interpreter that runs: it differs from one Python version to the next (modules come, go and
change; 3.11 has 168 files and 4.7 MB), and its digest, which goes into run.json, says whether two machines had the
same. A file is of the same part under every version, since its name alone decides.
"""

import sysconfig
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from tautune.search_spaces.sequences import Text
from tautune.trainables.supervised.data_files import DataError

END_OF_FILE = b"\0"
"""What stands after each file: a byte that no source has."""
PARTS = ("test", "validation", *("training",) * 8)
"""The part of a file, by the remainder of its name's SHA-256 divided by ten."""
GENERATED = "_sysconfigdata"
"""Beginning of the names of the modules that the build of an interpreter writes, which differ between machines."""


def source_files(folder: Path | None = None) -> list[Path]:
    """Returns the modules at the top of the standard library, by name; packages, tests among them, are left out.

    Raises:
        DataError: the interpreter has no sources, as in a zipped or stripped installation.
    """
    folder = folder or Path(sysconfig.get_path("stdlib"))
    found = sorted(file for file in folder.glob("*.py") if not file.name.startswith(GENERATED))
    if {part_of(file.name) for file in found} != set(PARTS):
        raise DataError(
            f"python_bytes needs the sources of Python's standard library, and {folder} has {len(found)} of them; "
            "use an interpreter that is installed with its sources"
        )
    return found


def part_of(name: str) -> str:
    """Returns training, validation or test, by the name of the file alone."""
    return PARTS[int.from_bytes(sha256(name.encode()).digest()) % len(PARTS)]


def texts(folder: Path | None = None) -> dict[str, bytes]:
    """Returns the text of each part: its files in the order of their names, `END_OF_FILE` after each."""
    found = {part: bytearray() for part in PARTS}
    for file in source_files(folder):
        found[part_of(file.name)] += file.read_bytes() + END_OF_FILE
    return {part: bytes(text) for part, text in found.items()}


def python_bytes(folder: Path | None = None) -> Text:
    """Returns the bytes of the three parts as token ids."""
    ids = {
        part: torch.from_numpy(np.frombuffer(text, np.uint8).astype(np.int64)) for part, text in texts(folder).items()
    }
    return Text(training=ids["training"], validation=ids["validation"], test=ids["test"], vocabulary=256)
