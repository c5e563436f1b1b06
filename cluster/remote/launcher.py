"""`tautune up` and `tautune down`: Ray's own launcher, with settings that it needs and checks that it lacks."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from tautune.cluster.remote.cluster_file import ClusterFile
from tautune.cluster.remote.head import connected
from tautune.cluster.remote.hosts import check_hosts, ray_runs_on, stop_ray, why_not_joined
from tautune.cluster.remote.ray_cli import check_programs, head_of_cloud, ray_command, ray_environment
from tautune.cluster.remote.token_file import make_token
from tautune.cluster.remote.working_directory import sent_files
from tautune.records.errors import InputError, Interrupted, RunFailed

JOIN_SECONDS = 120
"""Seconds in which the machines have to join once `ray up` is done."""


def up(file: ClusterFile, *, update: bool, console: Console) -> None:
    """Starts the cluster and waits until every node that should be there has joined.

    Args:
        update: send the files again and restart Ray, which ends the jobs, where the cluster is up already.

    Raises:
        InputError: a program, a host or a key is missing, or the cluster is up already.
        RunFailed: it came up only in part; the message says how to take it down.
    """
    check_programs()
    token = make_token()
    if file.on_premises:
        check_hosts(file)
    elif file.config["provider"]["type"] == "aws":
        from tautune.cluster.providers.aws_account import prepare

        prepare(file.config["provider"]["region"])
    if not update and _is_up(file):
        raise InputError(
            f"a Ray cluster runs on {file.hosts[0] if file.hosts else file.name} already; `tautune down {file.path}` "
            f"ends it, `tautune up --update {file.path}` sends the files anew and restarts it, which ends its jobs"
        )
    console.print(f"{file.name}: token in {token}; ray up {file.path}", highlight=False, soft_wrap=True)
    begun = time.monotonic()
    take_down = f"`tautune down {file.path}` takes down what was started"
    try:
        with _copy_to_send() as tree:
            _ray("up", "-y", str(file.path), cwd=tree, remedy=take_down)
        nodes = _wait_for_nodes(file, console)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; {take_down}") from None
    except InputError as error:  # of the connection to the head, once it is up
        raise RunFailed(f"{error}; {take_down}") from None
    if nodes < file.nodes:
        raise RunFailed(f"{nodes} of {file.nodes} machines joined: {why_not_joined(file)}; {take_down}")
    seconds = time.monotonic() - begun
    console.print(f"{file.name} is up: {nodes} of {file.nodes} machines in {seconds:.0f} s", highlight=False)


def down(file: ClusterFile, *, console: Console) -> None:
    """Ends the cluster.

    Raises:
        InputError: a machine is out of reach; nothing was done.
        RunFailed: some of it still runs.
    """
    check_programs()
    ray_runs_on(file)
    stop_ray(file)
    _ray("down", "-y", str(file.path), cwd=source_tree(), remedy=f"see whether machines of {file.name} still run")
    again = 3  # the autoscaler may have been bringing a lost machine up meanwhile
    while (left := ray_runs_on(file)) and again:
        again -= 1
        time.sleep(5)
        stop_ray(file)
    if left:
        raise RunFailed(f"Ray still runs on {', '.join(left)}; end it there with `ray stop`")
    console.print(f"{file.name} is down", highlight=False)


def _ray(*arguments: str, cwd: Path, remedy: str) -> None:
    """Runs a command of Ray and shows its output. Raises RunFailed with the last line of it."""
    last = there = ""
    command = [ray_command(), *arguments, "--log-style", "pretty", "--log-color", "false"]
    with subprocess.Popen(
        command, cwd=cwd, env=ray_environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", file=sys.stderr)
            if line.startswith("Shared connection to"):
                there = last  # what the command that SSH ran said at its end
            last = line.strip() or last
    if process.returncode:
        raise RunFailed(f"ray {arguments[0]} failed: {last}{f' ({there})' if there else ''}; {remedy}")


def source_tree() -> Path:
    """Returns the tree that this process runs from: a file mount of `.` sends it, wherever the command is given.

    Raises InputError if tautune was installed without it.
    """
    tree = Path(__file__).resolve().parents[2]
    if not (tree / "cluster/providers/setup.sh").is_file() or not (tree / "requirements.lock").is_file():
        raise InputError(
            "tautune does not run from its repository, which clusters are set up from; clone it, see docs/cluster.md"
        )
    return tree


@contextmanager
def _copy_to_send() -> Iterator[Path]:
    """Yields a copy of the tree without what git ignores: Ray hashes every file, also those that it does not send."""
    tree = source_tree()
    with tempfile.TemporaryDirectory() as folder:
        for file in sent_files(tree):
            copy = Path(folder) / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(tree / file, copy, follow_symlinks=False)
        yield Path(folder)


def _is_up(file: ClusterFile) -> bool:
    if file.on_premises:
        return file.hosts[0] in ray_runs_on(file)
    return head_of_cloud(file.path) is not None


def _wait_for_nodes(file: ClusterFile, console: Console) -> int:
    """Waits until all nodes have joined or time is up; returns how many have."""
    end = time.monotonic() + JOIN_SECONDS
    said = 0
    with connected(file) as head:
        while (nodes := len(head.nodes())) < file.nodes and time.monotonic() < end:
            if nodes != said:
                console.print(f"{nodes} of {file.nodes} machines have joined", highlight=False)
                said = nodes
            time.sleep(1)
    return nodes
