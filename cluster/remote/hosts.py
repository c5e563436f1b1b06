"""What SSH tells about machines on premises, before `ray up` would wait minutes for them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tautune.cluster.remote.cluster_file import ClusterFile
from tautune.cluster.remote.ssh import UNREACHED, on_host, ssh_error
from tautune.records.errors import InputError

OLDEST_PYTHON = (3, 11)
ASK_VERSIONS = (
    "python=$HOME/tautune/.venv/bin/python; [ -x $python ] || python=${PYTHON:-python3}; "
    "command -v rsync >/dev/null || echo no rsync; "
    "$python -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])' || echo no python"
)
ASK_RUNNING = "if pgrep -x 'gcs_server|raylet' >/dev/null; then echo runs; fi"
ASK_RAY = "~/tautune/.venv/bin/python -c 'import ray; print(ray.__version__)'"


def check_hosts(file: ClusterFile) -> None:
    """Raises InputError, naming the host, if one is out of reach, refuses the key, or cannot run tautune."""
    pythons: dict[str, str] = {}
    for host, said in ask_hosts(file, ASK_VERSIONS).items():
        if "no rsync" in said:
            raise InputError(f"{file.path}: {host} has no rsync; install it there (Debian: apt-get install rsync)")
        pythons[host] = said.split()[-1] if said.split() else "none"
    _check_pythons(file, pythons)


def ask_hosts(file: ClusterFile, command: str) -> dict[str, str]:
    """Runs a shell command on every machine; returns what each said. Raises InputError if one is out of reach."""
    key = file.config["auth"].get("ssh_private_key")
    if key and not Path(key).expanduser().is_file():
        raise InputError(f"{file.path}: auth.ssh_private_key: there is no file {key}")
    with ThreadPoolExecutor(max(1, len(file.hosts))) as pool:
        answers = list(pool.map(lambda host: on_host(file, host, command), file.hosts))
    for host, answer in zip(file.hosts, answers, strict=True):
        if answer.returncode == UNREACHED:
            raise InputError(f"{file.path}: {ssh_error(file, host, answer.stderr)}")
    return {host: answer.stdout for host, answer in zip(file.hosts, answers, strict=True)}


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


def ray_runs_on(file: ClusterFile) -> list[str]:
    """Returns the machines on which a Ray runs. Raises InputError if one is out of reach."""
    return [host for host, said in ask_hosts(file, ASK_RUNNING).items() if "runs" in said]


def stop_ray(file: ClusterFile) -> None:
    """Stops Ray on every machine: `ray down` looks for it in the wrong place, and calls that a success."""
    ask_hosts(file, "~/tautune/.venv/bin/ray stop")


def why_not_joined(file: ClusterFile) -> str:
    """Returns what SSH tells about the first machine whose Ray is not running or has another version."""
    if not file.hosts:
        return "see the cloud's console for machines that did not start"
    head, *workers = file.hosts
    wanted = on_host(file, head, ASK_RAY).stdout.strip()
    for host in workers:
        answer = on_host(file, host, ASK_RAY)
        if answer.returncode == UNREACHED:
            return ssh_error(file, host, answer.stderr)
        if answer.stdout.strip() != wanted:
            return f"{host} has Ray {answer.stdout.strip() or 'not at all'} and the head {head} has {wanted}"
        if "runs" not in on_host(file, host, ASK_RUNNING).stdout:
            return f"Ray does not run on {host}; see its start commands above"
    return f"see /tmp/ray/session_latest/logs/monitor.log on {head}"
