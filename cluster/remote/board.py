"""TensorBoard on a cluster's head, where the results are, seen through a tunnel."""

import re
import time

from rich.console import Console

from tautune.cluster.remote.cluster_file import ClusterFile
from tautune.cluster.remote.head import Head, check_port, connected, tunnel
from tautune.cluster.remote.jobs import run_name
from tautune.records.errors import RunFailed

START_SECONDS = 120
"""Seconds in which TensorBoard has to start."""
SAYS_WHERE = re.compile(r"http://127\.0\.0\.1:(\d+)/")
"""How TensorBoard says which port it took."""


def show_board(file: ClusterFile, folder: str | None, *, port: int, console: Console) -> None:
    """Runs TensorBoard on a folder there (None: all runs), seen at a port of this machine's loopback, until Ctrl-C.

    Raises:
        RunFailed: it does not start.
    """
    command = ["board", *([folder] if folder else [])]
    with connected(file) as head:
        check_port(port)
        job = _start(head, command)
        try:
            with tunnel(file, _port_there(head, job), port) as local:
                console.print(f"http://127.0.0.1:{local}/ shows {folder or 'all runs'}; Ctrl-C ends it")
                while not head.jobs.get_job_status(job).is_terminal():
                    time.sleep(1)
        except KeyboardInterrupt:
            pass
        finally:
            head.jobs.stop_job(job)
    console.print("ended")


def _start(head: Head, command: list[str]) -> str:
    job = run_name(["board"])
    head.submit(job, [*command, "--port", "0"], shown=command, runtime_env={})
    return job


def _port_there(head: Head, job: str) -> int:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        said = head.jobs.get_job_logs(job)
        if found := SAYS_WHERE.search(said):
            return int(found[1])
        if head.jobs.get_job_status(job).is_terminal():
            raise RunFailed(
                f"TensorBoard does not start on the head: {(said.strip().splitlines() or ['no answer'])[-1]}"
            )
        time.sleep(0.5)
    raise RunFailed(f"TensorBoard does not start on the head within {START_SECONDS} s; see `tautune logs {job}`")
