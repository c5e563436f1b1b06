"""The cluster's head as the laptop sees it: its dashboard and Jobs API, through SSH, with the token."""

import logging
import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import aiohttp
import requests

from tautune.cluster.remote.cluster_file import ClusterFile
from tautune.cluster.remote.ray_cli import check_programs, ray_command, ray_environment
from tautune.cluster.remote.ssh import ssh, ssh_error, target
from tautune.cluster.remote.token_file import check_token
from tautune.records.errors import InputError, RunFailed

DASHBOARD = 8265
SHOWN = "tautune"
"""The entry of a job's metadata that holds the command which its user gave."""
TUNNEL_SECONDS = 60
"""Seconds that SSH may take to come through."""
LOST = (ConnectionError, requests.RequestException, aiohttp.ClientError)
"""Errors of a connection to which nothing answers."""


class Head:
    """The Jobs API behind a local port."""

    def __init__(self, url: str) -> None:
        from ray.job_submission import JobSubmissionClient

        self.url = url
        self.jobs = JobSubmissionClient(url)

    def submit(self, job: str, arguments: list[str], *, shown: list[str], runtime_env: dict[str, Any]) -> None:
        """Runs `tautune ARGUMENTS` there under the name `job`; `shown` is how `tautune jobs` lists it."""
        self.jobs.submit_job(
            entrypoint=shlex.join(["python", "-P", "-m", "tautune", *arguments]),
            submission_id=job,
            runtime_env=runtime_env,
            metadata={SHOWN: shlex.join(shown)},
        )

    def nodes(self) -> list[Any]:
        """Returns Ray's records of the nodes that are alive."""
        from ray.util.state import list_nodes

        return list(list_nodes(address=self.url, filters=[("state", "=", "ALIVE")], limit=10_000))


@contextmanager
def connected(file: ClusterFile) -> Iterator[Head]:
    """Yields a `Head` as long as the tunnel to it is open.

    Raises:
        InputError: the cluster is not up, is out of reach, or does not take the token.
        RunFailed: it was lost meanwhile, or refuses.
    """
    import ray

    check_token()
    for variable in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        os.environ.pop(variable, None)  # they would win over the address that is given
    for name in ("ray", "ray.dashboard"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with tunnel(file, DASHBOARD) as port:
        try:
            head = Head(f"http://127.0.0.1:{port}")
        except ray.exceptions.AuthenticationError:
            raise InputError(
                f"{file.name} does not take the token in ~/.ray/auth_token: it was brought up with another; "
                "copy that one from where `tautune up` was called, or from ~/.ray/auth_token on the head"
            ) from None
        except LOST:
            raise InputError(f"{file.name} is not up; `tautune up {file.path}` starts it") from None
        except RuntimeError as error:  # another version, or something else than Ray at that port
            raise InputError(f"{file.name} answers, but not as Ray {ray.__version__}: {_first_line(error)}") from None
        try:
            yield head
        except LOST as error:
            raise RunFailed(f"the head of {file.name} does not answer any more: {_first_line(error)}") from None
        except RuntimeError as error:
            if failure := _of_the_jobs_api(file, error):
                raise failure from None
            raise


def _of_the_jobs_api(file: ClusterFile, error: RuntimeError) -> RunFailed | None:
    """Returns what Ray's client says with a RuntimeError, in our words; None for any other error."""
    said = _first_line(error)
    if said.startswith("WebSocket"):
        return RunFailed(f"the head of {file.name} does not answer any more: {said}")
    if refused := re.match(r"Request failed with status code (\d+): (.*)", said):
        return RunFailed(f"the head of {file.name} refuses (HTTP {refused[1]}): {refused[2]}")
    return None


@contextmanager
def tunnel(file: ClusterFile, remote_port: int, local_port: int = 0) -> Iterator[int]:
    """Yields a port on this machine's loopback that leads to one on the head's; 0 takes any port."""
    check_programs()
    check_port(local_port)
    local = local_port or _free_port()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            _tunnel_command(file, local, remote_port),
            env=ray_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            end = time.monotonic() + TUNNEL_SECONDS
            while not answers("127.0.0.1", local):
                if process.poll() is not None or time.monotonic() > end:
                    output.seek(0)
                    raise _no_tunnel(file, output.read())
                time.sleep(0.1)
            yield local
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def check_port(port: int) -> None:
    """Raises InputError if something on this machine listens at that port; 0 stands for any."""
    if port and answers("127.0.0.1", port):
        raise InputError(f"--port: {port} is in use on this machine; give another")


def _tunnel_command(file: ClusterFile, local: int, remote: int) -> list[str]:
    """Returns SSH to the head that the file names, on premises: Ray's own command needs notes of `ray up`."""
    if file.on_premises:
        there = ["-N", "-L", f"127.0.0.1:{local}:127.0.0.1:{remote}", target(file, file.hosts[0])]
        return [*ssh(file, "ExitOnForwardFailure=yes", "ServerAliveInterval=15"), *there]
    return [ray_command(), "dashboard", str(file.path), "--port", str(local), "--remote-port", str(remote)]


def _no_tunnel(file: ClusterFile, said: str) -> InputError:
    if file.on_premises:
        return InputError(f"{file.path}: {ssh_error(file, file.hosts[0], said)}")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if "not found" in said or "ead node" in said:
        return InputError(f"{file.name} is not up; `tautune up {file.path}` starts it")
    return InputError(f"the head of {file.name} cannot be reached: {lines[-1] if lines else 'no answer'}")


def answers(host: str, port: int) -> bool:
    """Returns whether something takes a connection there."""
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
