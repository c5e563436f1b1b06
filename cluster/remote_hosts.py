"""What SSH tells of machines that one has, before `ray up` waits for them for minutes."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cluster.cluster_file import ClusterFile
from cluster.errors import InputError

TIMEOUT = 10
"""Seconds for a host to answer."""
OLDEST_PYTHON = (3, 11)
ASK_VERSIONS = (
    "python=$HOME/tautune/.venv/bin/python; [ -x $python ] || python=${PYTHON:-python3}; "
    "command -v rsync >/dev/null || echo no rsync; "
    "$python -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])' || echo no python"
)
ASK_RAY = "~/tautune/.venv/bin/python -c 'import ray; print(ray.__version__)'"


def on_host(file: ClusterFile, host: str, command: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell command there. Never asks for anything."""
    auth = file.config["auth"]
    options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]
    options.append(f"ConnectTimeout={TIMEOUT}")
    ssh = ["ssh", *(part for option in options for part in ("-o", option))]
    if auth.get("ssh_private_key"):
        ssh += ["-o", "IdentitiesOnly=yes", "-i", str(Path(auth["ssh_private_key"]).expanduser())]
    target = f"{auth.get('ssh_user', 'root')}@{host}"
    try:
        return subprocess.run([*ssh, target, command], capture_output=True, text=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(ssh, 255, "", "no answer within a minute")


def check_hosts(file: ClusterFile) -> None:
    """Raises InputError, naming the host, if one is out of reach, refuses the key, or cannot run this."""
    key = file.config["auth"].get("ssh_private_key")
    if key and not Path(key).expanduser().is_file():
        raise InputError(f"{file.path}: auth.ssh_private_key: there is no file {key}")
    with ThreadPoolExecutor(len(file.hosts)) as pool:
        answers = list(pool.map(lambda host: on_host(file, host, ASK_VERSIONS), file.hosts))
    pythons: dict[str, str] = {}
    for host, answer in zip(file.hosts, answers, strict=True):
        if answer.returncode == 255:
            raise InputError(f"{file.path}: {_ssh_error(file, host, answer.stderr)}")
        if "no rsync" in answer.stdout:
            raise InputError(f"{file.path}: {host} has no rsync; install it there (Debian: apt-get install rsync)")
        pythons[host] = answer.stdout.split()[-1] if answer.stdout.split() else "none"
    _check_pythons(file, pythons)


def _check_pythons(file: ClusterFile, pythons: dict[str, str]) -> None:
    head = file.hosts[0]
    for host, version in pythons.items():
        parts = tuple(int(part) for part in version.split(".") if part.isdecimal())
        if parts < OLDEST_PYTHON:
            raise InputError(f"{file.path}: {host} has Python {version}; tautune needs 3.11 or later there, as python3")
        if version != pythons[head]:
            raise InputError(
                f"{file.path}: {host} has Python {version} and the head {head} has {pythons[head]}; "
                "Ray needs the same on all machines"
            )


def _ssh_error(file: ClusterFile, host: str, said: str) -> str:
    auth = file.config["auth"]
    last = (said.strip().splitlines() or ["no answer"])[-1]
    if "Permission denied" in last:
        key = auth.get("ssh_private_key", "the agent's keys")
        return f"{host} refuses {key} for user {auth.get('ssh_user')}; give auth.ssh_user and auth.ssh_private_key"
    return f"{host} cannot be reached by SSH: {last}; see that it runs, and that its address is right"


def ray_runs_on(file: ClusterFile, host: str) -> bool:
    """Whether some Ray runs on a machine: its head's server or a node's."""
    return on_host(file, host, "pgrep -x 'gcs_server|raylet' >/dev/null").returncode == 0


def why_not_joined(file: ClusterFile) -> str:
    """What SSH tells of the machines whose Ray is not running or is another one."""
    if not file.hosts:
        return "see the cloud's console for machines that did not start"
    head, *workers = file.hosts
    wanted = on_host(file, head, ASK_RAY).stdout.strip()
    for host in workers:
        answer = on_host(file, host, ASK_RAY)
        if answer.returncode == 255:
            return _ssh_error(file, host, answer.stderr)
        if answer.stdout.strip() != wanted:
            return f"{host} has Ray {answer.stdout.strip() or 'not at all'} and the head {head} has {wanted}"
        if not ray_runs_on(file, host):
            return f"Ray does not run on {host}; see its start commands above"
    return f"see /tmp/ray/session_latest/logs/monitor.log on {head}"
