"""What a result was made with: versions, commits, hardware."""

import os
import platform
import re
import shlex
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Json = dict[str, Any]
PACKAGES = ("tautune", "torch", "ray", "numpy", "scipy", "scikit-learn")
HOME = Path(__file__).resolve().parents[1]
"""The folder of the rooms: a checkout's top, or `tautune` in site-packages."""
GIT_SECONDS = 2.0
"""Time that git may take to look for edits, in seconds: in a large repository it can take minutes."""


def now() -> str:
    """Returns the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def readable(time: str) -> str:
    """Returns a time of `now` as people write it: 2026-11-28 23:17:01 UTC; any other text is left as it is."""
    return re.sub(r"^(\S{10})T(\S{8})\+00:00$", r"\1 \2 UTC", time)


def time_of(moment: float) -> str:
    """Returns when `time.monotonic()` was so much, in UTC, to the second."""
    ago = timedelta(seconds=time.monotonic() - moment)
    return (datetime.now(UTC) - ago).isoformat(timespec="seconds")


def provenance() -> Json:
    """Returns what the driver's side of a run was made with, as plain JSON; what cannot be found out is None."""
    versions = {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}
    return {"versions": versions, **commits(), "hardware": hardware()}


def command_line() -> str | None:
    """Returns the command of tautune that this process is; None in a program of the user's own."""
    program = Path(sys.argv[0])
    is_ours = program.name == "tautune" or program.parts[-2:] == ("tautune", "__main__.py")
    return shlex.join(["tautune", *sys.argv[1:]]) if is_ours else None


def commits() -> Json:
    """Returns `commit`, tautune's own with `+` if it was edited, and `project`, that of the folder that is worked in.

    `project` is {"commit": …, "clean": …}: whether the files that it tracks are unchanged. Both are None outside of a
    repository.
    """
    own = _checkout(HOME) if _is_checkout(HOME) else None
    return {"commit": own and own["commit"] + ("" if own["clean"] else "+"), "project": _checkout(Path())}


def hardware() -> Json:
    """Returns this machine's processor, cores, memory and GPUs."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"processor": _processor(), "cores": os.cpu_count(), "memory_bytes": memory, "gpus": gpus}


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _is_checkout(home: Path) -> bool:
    """Tells whether tautune's files are tracked by a repository of tautune's own, and not by their user's."""
    files = [str(file.relative_to(home)) for file in (home / "pyproject.toml", home / "records" / "provenance.py")]
    return (home / ".git").exists() and _git(home, "ls-files", "--error-unmatch", *files) is not None


def _checkout(folder: Path) -> Json | None:
    """Returns the commit of the repository that the folder lies in, and whether it is clean; None outside of one.

    Files that git does not track do not count: a run's own results may lie among them.
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return None
    edits = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "clean": None if edits is None else not edits}


def _git(folder: Path, *arguments: str) -> str | None:
    """Returns what git says, or None if it fails, is missing or takes too long."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"  # the user's own git commands are not kept out
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
            timeout=GIT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
