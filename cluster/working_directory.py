"""What a job takes along: the files of a folder, within the dashboard's limit."""

import os
import subprocess
from pathlib import Path

from cluster.errors import InputError

LIMIT = 100 * 2**20
"""Bytes that Ray's dashboard takes."""
EXCLUDED = (".git", ".venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", "results", "data")
"""Folders that stay at home, at any level; so does what git ignores."""
NAMES_SHOWN = 3


def check_size(folder: Path) -> int:
    """Bytes that would be sent.

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


def sent_files(folder: Path) -> list[Path]:
    """Relative to the folder: all files but those of `EXCLUDED` and those that git ignores."""
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
        return [file for file in files if not set(file.parts) & set(EXCLUDED) and (folder / file).is_file()]
    found = []
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in EXCLUDED]
        found += [(Path(path) / name).relative_to(folder) for name in names]
    return [file for file in found if (folder / file).is_file()]
