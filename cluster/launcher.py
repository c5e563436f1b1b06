"""`tautune up` and `tautune down`: Ray's own launcher, with what it needs set and what it does not check checked."""

import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from cluster.cluster_file import ClusterFile
from cluster.errors import InputError, Interrupted, RunFailed
from cluster.head import connected
from cluster.remote_hosts import check_hosts, ray_runs_on, why_not_joined

TOKEN = Path(".ray/auth_token")
"""In the home of the user, on the laptop and on every node; where Ray looks for it."""
JOIN_SECONDS = 120
"""That the machines have to join once `ray up` has done its work."""


def up(file: ClusterFile, *, update: bool, console: Console) -> None:
    """Starts the cluster and waits until every node that should be there has joined.

    Args:
        update: also when it is up already: its files are sent again and its Ray is restarted, which ends its jobs.

    Raises:
        InputError: a program, a host or a key is missing, or the cluster is up already.
        RunFailed: it came up in part; the message says how to take it down.
    """
    check_programs()
    token = make_token()
    if file.on_premises:
        check_hosts(file)
    if not update and _is_up(file):
        raise InputError(
            f"a Ray cluster runs on {file.hosts[0] if file.hosts else file.name} already; `tautune down {file.path}` "
            f"ends it, `tautune up --update {file.path}` sends the files anew and restarts it, which ends its jobs"
        )
    console.print(f"{file.name}: token in {token}; ray up {file.path}", highlight=False, soft_wrap=True)
    begun = time.monotonic()
    take_down = f"`tautune down {file.path}` takes down what was started"
    try:
        _ray("up", "-y", str(file.path), cwd=_root(file), remedy=take_down)
        nodes = _wait_for_nodes(file, console)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; {take_down}") from None
    if nodes < file.nodes:
        raise RunFailed(f"{nodes} of {file.nodes} machines joined: {why_not_joined(file)}; {take_down}")
    seconds = time.monotonic() - begun
    console.print(f"{file.name} is up: {nodes} of {file.nodes} machines in {seconds:.0f} s", highlight=False)


def down(file: ClusterFile, *, console: Console) -> None:
    """Ends the cluster. Raises RunFailed if Ray could not."""
    check_programs()
    _ray("down", "-y", str(file.path), cwd=_root(file), remedy=f"see whether machines of {file.name} still run")
    left = [host for host in file.hosts if ray_runs_on(file, host)]
    if left:
        raise RunFailed(f"Ray still runs on {', '.join(left)}; end it there with `ray stop`")
    console.print(f"{file.name} is down", highlight=False)


def check_programs() -> None:
    """Raises InputError if what `ray up` calls is not there: it would die of it with a traceback."""
    for program in ("ssh", "rsync"):
        if not shutil.which(program):
            package = {"ssh": "openssh-client"}.get(program, program)
            raise InputError(f"{program} is missing on this machine; install it (Debian: apt-get install {package})")


def make_token() -> Path:
    """The file of the cluster's token: made with mode 0600 if there is none, closed to others if it was open."""
    file = Path.home() / TOKEN
    file.parent.mkdir(mode=0o700, exist_ok=True)
    if not file.exists():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(secrets.token_hex(32))
    elif file.stat().st_mode & 0o077:
        file.chmod(0o600)
    if not file.read_text().strip():
        raise InputError(f"{file} is empty; remove it, and `tautune up` makes a new token")
    return file


def ray_environment() -> dict[str, str]:
    """For Ray's own commands: the launcher's version that brings up machines one has (the newer one joins but some)."""
    plain = {name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "RAY_AUTH_TOKEN")}
    return plain | {"RAY_AUTH_MODE": "token", "RAY_UP_enable_autoscaler_v2": "0", "RAY_USAGE_STATS_ENABLED": "0"}


def ray_command() -> str:
    """Ray of the same installation as this process."""
    return str(Path(sys.executable).with_name("ray"))


def _ray(*arguments: str, cwd: Path, remedy: str) -> None:
    """Runs a command of Ray with its output shown. Raises RunFailed with the last line of it."""
    last = ""
    command = [ray_command(), *arguments, "--log-style", "pretty", "--log-color", "false"]
    with subprocess.Popen(
        command, cwd=cwd, env=ray_environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", file=sys.stderr)
            last = line.strip() or last
    if process.returncode:
        raise RunFailed(f"ray {arguments[0]} failed: {last}; {remedy}")


def _root(file: ClusterFile) -> Path:
    """The folder that a file mount of `.` means: the working tree, wherever the command is given."""
    return next((folder for folder in file.path.parents if (folder / "requirements.lock").exists()), Path.cwd())


def _is_up(file: ClusterFile) -> bool:
    if file.on_premises:
        return ray_runs_on(file, file.hosts[0])
    command = [ray_command(), "get-head-ip", str(file.path)]
    return subprocess.run(command, env=ray_environment(), capture_output=True, check=False).returncode == 0


def _wait_for_nodes(file: ClusterFile, console: Console) -> int:
    """Nodes that joined: as soon as all have, or when the time for it is over."""
    end = time.monotonic() + JOIN_SECONDS
    said = 0
    with connected(file) as head:
        while (nodes := len(head.nodes())) < file.nodes and time.monotonic() < end:
            if nodes != said:
                console.print(f"{nodes} of {file.nodes} machines have joined", highlight=False)
                said = nodes
            time.sleep(1)
    return nodes
