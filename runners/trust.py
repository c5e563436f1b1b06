"""Whose code may run: a folder of results names the file of its study, and whoever wrote the folder chose that name."""

import os
from pathlib import Path

from tautune.records.errors import InputError
from tautune.records.storage import Folder


def check_trusted(folder: Folder, study: str, *, trust: bool) -> None:
    """Raises InputError if the folder's study is a file and the folder may be a stranger's.

    A folder is trusted if this user owns it and its run.json, and others cannot write them. A bucket has no owner that
    could be asked.

    Args:
        trust: whether the user has said that the folder is to be trusted.
    """
    if trust or not study.endswith(".py") or is_own(folder):
        return
    raise InputError(
        f"{folder} may be somebody else's, and names {study} as its study, whose code would run; look at that file, "
        "then say --trust (trust=True), or give the study"
    )


def check_checkpoints_trusted(folder: Folder, *, trust: bool) -> None:
    """Raises InputError if a loop would read checkpoints that may be a stranger's: what it unpickles is its own affair.

    Args:
        trust: as in `check_trusted`.
    """
    if not trust and not is_own(folder):
        raise InputError(
            f"{folder} may be somebody else's, and its loop would read the checkpoints there, which can run code; "
            "say --trust (trust=True) if you know who wrote them"
        )


def is_own(folder: Folder) -> bool:
    """Returns whether nobody but this user, or root, can have written what the folder says of its study."""
    if not isinstance(folder, Path):
        return False
    return all(_is_own(path) for path in (folder, folder / "run.json"))


def _is_own(path: Path) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    return found.st_uid in (os.geteuid(), 0) and not found.st_mode & 0o002
