"""Ray's own commands, as `up`, `down` and clouds' tunnels call them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tautune.records.errors import InputError


def ray_command() -> str:
    """Returns the program `ray` of the installation that this process belongs to."""
    return str(Path(sys.executable).with_name("ray"))


def ray_environment() -> dict[str, str]:
    """Returns the environment for Ray's own commands.

    It chooses the older of Ray's two autoscalers: the newer joins only some of the machines on premises.
    """
    plain = {name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "RAY_AUTH_TOKEN")}
    return plain | {"RAY_AUTH_MODE": "token", "RAY_UP_enable_autoscaler_v2": "0", "RAY_USAGE_STATS_ENABLED": "0"}


def check_programs() -> None:
    """Raises InputError if a program that `ray up` calls is missing: Ray would end in a traceback."""
    for program in ("ssh", "rsync"):
        if not shutil.which(program):
            package = {"ssh": "openssh-client"}.get(program, program)
            raise InputError(f"{program} is missing on this machine; install it (Debian: apt-get install {package})")


def head_of_cloud(file: Path) -> str | None:
    """Returns the address of the head that a cluster file's cloud runs; None if it runs none."""
    command = [ray_command(), "get-head-ip", str(file)]
    asked = subprocess.run(command, env=ray_environment(), capture_output=True, text=True, check=False)
    said = asked.stdout.split()
    return said[-1] if asked.returncode == 0 and said else None
