"""Jobs on a cluster: Ray Jobs, through SSH, each with a name that is also its run's."""

import asyncio
import difflib
import re
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from tautune.cluster.remote.cluster_file import ClusterFile
from tautune.cluster.remote.head import SHOWN, Head, connected
from tautune.cluster.remote.working_directory import EXCLUDED, check_size, left_at_home
from tautune.records.errors import InputError, RunFailed

Json = dict[str, Any]
SENT = ("sweep", "grid", "edge", "tune", "resume", "extend", "refit")
"""The commands that a cluster runs."""
OWN = ("board", "doctor")
"""Jobs that tautune makes for itself."""
NEW_RUN = ("sweep", "grid", "edge", "tune")
"""Those of them that make a new folder, which gets the job's name if none is given."""
STOP_SECONDS = 60
"""Seconds in which a stopped job has to write down what it found, before it is killed."""


def submit(
    file: ClusterFile,
    arguments: list[str],
    *,
    working_dir: Path,
    requirements: Path | None,
    name: str | None,
    follow: bool,
    console: Console,
) -> str:
    """Sends `tautune ARGUMENTS` to the cluster and returns the job's id.

    Args:
        arguments: the command, one of `SENT`, and its options; whether they are valid has been checked.
        working_dir: the folder that the job takes along and runs in.
        requirements: a file of packages to install for the job.
        name: the job's; None makes one up.
        follow: show what the job prints, until it ends.

    Raises:
        InputError: there is a job of that name, or the folder is too large to send.
        RunFailed: it was followed, and failed.
    """
    check_size(working_dir)
    if left := left_at_home(working_dir):
        console.print(f"left at home: {', '.join(left)}", highlight=False, soft_wrap=True)
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise InputError(f"--name must be letters, digits, dots, - and _, as a folder's is, not {name!r}")
    if requirements is not None and not requirements.is_file():
        raise InputError(f"--requirements: there is no file {requirements}")
    job = name or run_name(arguments)
    command = list(arguments)
    if arguments[0] in NEW_RUN and not _gives_output(arguments):
        command += ["--output", job]
    environment: Json = {
        "working_dir": str(working_dir),
        "excludes": list(EXCLUDED),
        "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS), "PYTHONUNBUFFERED": "1", "COLUMNS": "120"},
    }
    if requirements is not None:
        environment["pip"] = str(requirements)
    with connected(file) as head:
        if job in {details.submission_id for details in head.jobs.list_jobs()}:
            raise InputError(f"--name: {file.name} has a job {job} already; give another name")
        head.submit(job, command, shown=arguments, runtime_env=environment)
        console.print(f"{job} is submitted; `tautune logs {job} --follow` shows it", highlight=False, soft_wrap=True)
        if follow:
            _follow(head, job)
    return job


def list_jobs(file: ClusterFile, *, every: bool = False) -> list[Json]:
    """Returns the cluster's jobs as plain records, the latest first; times are in seconds since 1970.

    Args:
        every: include the jobs of `doctor` and `board`.
    """
    with connected(file) as head:
        found = [details for details in head.jobs.list_jobs() if details.submission_id]
    now = time.time()
    records = []
    for details in sorted(found, key=lambda d: -(d.start_time or 0)):
        command = (details.metadata or {}).get(SHOWN, details.entrypoint)
        if not every and command.partition(" ")[0] in OWN:
            continue
        begun = (details.start_time or 0) / 1000
        records.append(
            {
                "job": details.submission_id,
                "status": str(details.status.value),
                "started": begun,
                "seconds": round((details.end_time / 1000 if details.end_time else now) - begun, 1),
                "command": command,
                "message": (details.message or "").strip(),
            }
        )
    return records


def logs(file: ClusterFile, job: str, *, follow: bool) -> None:
    """Writes what the job said to stdout. Raises RunFailed if it is followed and fails."""
    with connected(file) as head:
        check_job(head, job)
        if follow:
            _follow(head, job)
        else:
            sys.stdout.write(head.jobs.get_job_logs(job))


def stop(file: ClusterFile, job: str, *, console: Console) -> None:
    """Ends a job as Ctrl-C would, and waits until it has ended."""
    with connected(file) as head:
        check_job(head, job)
        if head.jobs.get_job_status(job).is_terminal():
            raise InputError(f"{job} has ended already: {head.jobs.get_job_status(job).value}")
        head.jobs.stop_job(job)
        end = time.monotonic() + 2 * STOP_SECONDS
        while not head.jobs.get_job_status(job).is_terminal():
            if time.monotonic() > end:
                raise RunFailed(f"{job} does not end; see `tautune logs {job}`")
            time.sleep(0.5)
        console.print(f"{job}: {head.jobs.get_job_status(job).value}", highlight=False)


def check_job(head: Head, job: str) -> None:
    """Raises InputError, with the nearest names, if there is no such job."""
    known = [details.submission_id for details in head.jobs.list_jobs() if details.submission_id]
    if job not in known:
        near = difflib.get_close_matches(job, known, n=3, cutoff=0.4) or known[-3:]
        hint = f"; there are {', '.join(near)}" if near else "; there is none yet"
        raise InputError(f"there is no job {job}{hint}")


def run_name(arguments: list[str]) -> str:
    """Returns a name that no other run has: what it does, when, and six random letters."""
    subject = Path(arguments[1]).stem if len(arguments) > 1 else ""
    words = re.sub(r"[^A-Za-z0-9_.]+", "-", f"{arguments[0]}-{subject}").strip("-")
    return f"{words}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _gives_output(arguments: list[str]) -> bool:
    return any(argument == "--output" or argument.startswith("--output=") for argument in arguments)


def _follow(head: Head, job: str) -> None:
    async def tail() -> None:
        async for lines in head.jobs.tail_job_logs(job):
            sys.stdout.write(lines)
            sys.stdout.flush()

    asyncio.run(tail())
    details = head.jobs.get_job_info(job)
    if details.status.value == "SUCCEEDED":
        return
    said = [line for line in head.jobs.get_job_logs(job).splitlines() if line.strip()]
    reason = said[-1].removeprefix("tautune: ") if said else (details.message or "").partition(", last available")[0]
    kind = InputError if details.driver_exit_code == 2 else RunFailed
    raise kind(f"{job}: {details.status.value}: {reason}")
