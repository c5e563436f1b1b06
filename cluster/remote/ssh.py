"""SSH to machines on premises, with the user and the key of the cluster file. It never asks for anything."""

import subprocess
from pathlib import Path

from tautune.cluster.remote.cluster_file import ClusterFile

TIMEOUT = 10
"""Seconds in which a host has to answer."""
OPTIONS = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
UNREACHED = 255
"""SSH's own exit code where the command was not run."""


def ssh(file: ClusterFile, *more: str) -> list[str]:
    """Returns the program with its options, to which a target is added."""
    key = file.config["auth"].get("ssh_private_key")
    options = [*OPTIONS, f"ConnectTimeout={TIMEOUT}", *(["IdentitiesOnly=yes"] if key else []), *more]
    identity = ["-i", str(Path(key).expanduser())] if key else []
    return ["ssh", *(part for option in options for part in ("-o", option)), *identity]


def target(file: ClusterFile, host: str) -> str:
    return f"{file.config['auth'].get('ssh_user', 'root')}@{host}"


def on_host(file: ClusterFile, host: str, command: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell command on a host."""
    whole = [*ssh(file), target(file, host), command]
    try:
        return subprocess.run(whole, capture_output=True, text=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(whole, UNREACHED, "", "no answer within a minute")


def ssh_error(file: ClusterFile, host: str, said: str) -> str:
    """Returns what SSH said as one line that says what to do."""
    auth = file.config["auth"]
    last = (said.strip().splitlines() or ["no answer"])[-1]
    if "Permission denied" in last:
        key = auth.get("ssh_private_key", "the agent's keys")
        return f"{host} refuses {key} for user {auth.get('ssh_user')}; give auth.ssh_user and auth.ssh_private_key"
    return f"{host} cannot be reached by SSH: {last}; see that it runs, and that its address is right"
