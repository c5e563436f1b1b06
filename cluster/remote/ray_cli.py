"""Ray's own commands, as `up`, `down` and clouds' tunnels call them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tautune.records.errors import InputError


def ray_command() -> str:
    """Ray of the same installation as this process."""
    return str(Path(sys.executable).with_name("ray"))


def ray_environment() -> dict[str, str]:
    """For Ray's own commands: the launcher's version that brings up machines one has (the newer one joins but some)."""
    plain = {name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "RAY_AUTH_TOKEN")}
    return plain | {"RAY_AUTH_MODE": "token", "RAY_UP_enable_autoscaler_v2": "0", "RAY_USAGE_STATS_ENABLED": "0"}


def check_programs() -> None:
    """Raises InputError if what `ray up` calls is not there: it would die of it with a traceback."""
    for program in ("ssh", "rsync"):
        if not shutil.which(program):
            package = {"ssh": "openssh-client"}.get(program, program)
            raise InputError(f"{program} is missing on this machine; install it (Debian: apt-get install {package})")


def head_of_cloud(file: Path) -> str | None:
    """The address of the head that a cluster file's cloud runs; None if it runs none."""
    command = [ray_command(), "get-head-ip", str(file)]
    asked = subprocess.run(command, env=ray_environment(), capture_output=True, text=True, check=False)
    said = asked.stdout.split()
    return said[-1] if asked.returncode == 0 and said else None
