"""What one machine says about itself, for `tautune doctor`."""

import hashlib
import os
import platform
import shutil
import socket
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from tautune.cluster.remote.token_file import token_mode
from tautune.trainables.supervised.data_files import is_here

PACKAGES = ("ray", "torch", "tautune")
ROOMS = ("analysis", "cluster", "commands", "records", "runners", "search_spaces", "trainables")


@dataclass(frozen=True, kw_only=True)
class NodeReport:
    """Plain facts; what they mean is said in `diagnosis.py`."""

    host: str
    versions: dict[str, str]
    code: str
    """A hash of tautune's sources."""
    token_mode: str
    """As in 0600; empty if there is no token file."""
    data: dict[str, bool]
    """Whether each data set is there."""
    gpus: int
    """Those that NVIDIA's driver shows."""
    disk_free_bytes: int
    """Where Ray's temporary files are."""
    shared_memory_bytes: int
    """0 where the machine has no /dev/shm."""


def report(data: tuple[str, ...] = (), tree: Path | None = None) -> NodeReport:
    """Returns the report on this machine.

    Args:
        data: names of the data sets to look for.
        tree: the folder of tautune's sources; None means those that run.
    """
    return NodeReport(
        host=socket.gethostname(),
        versions={"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES},
        code=_hash_of_sources(tree or Path(__file__).resolve().parents[2]),
        token_mode=token_mode(),
        data={name: is_here(name) for name in data},
        gpus=_gpus(),
        disk_free_bytes=shutil.disk_usage("/tmp").free,
        shared_memory_bytes=_size_of("/dev/shm"),
    )


def _hash_of_sources(tree: Path) -> str:
    content = hashlib.sha256()
    for folder in ROOMS:
        for file in sorted((tree / folder).rglob("*.py")):
            content.update(str(file.relative_to(tree)).encode() + b"\0" + file.read_bytes())
    return content.hexdigest()


def _gpus() -> int:
    """Asks the driver's own program: torch sees only the GPUs that a Ray worker is given."""
    if not shutil.which("nvidia-smi"):
        return 0
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def _size_of(folder: str) -> int:
    if not Path(folder).is_dir():
        return 0
    found = os.statvfs(folder)
    return found.f_frsize * found.f_blocks
