"""The files of a folder that a job takes along, within the dashboard's limit."""

import os
import subprocess
from pathlib import Path

from tautune.records.errors import InputError

LIMIT = 100 * 2**20
"""Bytes that Ray's dashboard accepts."""
AT_HOME = ("data", "results")
"""Folders of the working directory itself that stay at home."""
ANYWHERE = ("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache")
"""Folders that stay at home at any level. So do .git, .venv and what git ignores, which Ray itself leaves out."""
NEVER = {*ANYWHERE, ".git", ".venv"}
EXCLUDED = (*(f"/{name}" for name in AT_HOME), *ANYWHERE)
"""What Ray's runtime environment is told to leave out."""
NAMES_SHOWN = 3


def check_size(folder: Path) -> int:
    """Returns how many bytes would be sent.

    Raises:
        InputError: there is no such folder, or it is over the limit; the largest entries are named.
    """
    if not folder.is_dir():
        raise InputError(f"--working-dir: there is no folder {folder}")
    sizes: dict[str, int] = {}
    for file in sent_files(folder):
        top = file.parts[0]
        sizes[top] = sizes.get(top, 0) + (folder / file).lstat().st_size
    total = sum(sizes.values())
    if total > LIMIT:
        largest = sorted(sizes, key=lambda name: -sizes[name])[:NAMES_SHOWN]
        named = ", ".join(f"{name} ({sizes[name] / 2**20:.0f} MiB)" for name in largest)
        raise InputError(
            f"--working-dir: {folder} has {total / 2**20:.0f} MiB to send, and {LIMIT / 2**20:.0f} MiB is the most: "
            f"{named}; move data elsewhere, or let git ignore them"
        )
    return total


def left_at_home(folder: Path) -> list[str]:
    """Returns which of `AT_HOME` the folder has."""
    return [name for name in AT_HOME if (folder / name).is_dir()]


def sent_files(folder: Path) -> list[Path]:
    """Returns all files and links, relative to the folder, but those in `EXCLUDED` and those that git ignores."""
    listed = (
        subprocess.run(
            ["git", "-C", str(folder), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True,
            check=False,
        )
        if (folder / ".git").exists()
        else None
    )
    if listed is not None and listed.returncode == 0:
        files = [Path(os.fsdecode(name)) for name in listed.stdout.split(b"\0") if name]
    else:
        files = []
        for path, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if name not in NEVER]
            links = [name for name in folders if (Path(path) / name).is_symlink()]
            files += [(Path(path) / name).relative_to(folder) for name in (*names, *links)]
    return [f for f in files if f.parts[0] not in AT_HOME and not set(f.parts) & NEVER and _is_sent(folder / f)]


def _is_sent(file: Path) -> bool:
    return file.is_file() or file.is_symlink()
