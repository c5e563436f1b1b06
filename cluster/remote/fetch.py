"""Results brought from the cluster to this machine."""

import re
import shlex
import subprocess
from pathlib import Path

from rich.console import Console
from upath import UPath

from tautune.cluster.remote.cluster_file import ClusterFile
from tautune.cluster.remote.head import connected
from tautune.cluster.remote.jobs import check_job
from tautune.cluster.remote.ray_cli import check_programs, ray_command, ray_environment
from tautune.cluster.remote.ssh import UNREACHED, on_host, ssh, ssh_error, target
from tautune.records.errors import InputError, RunFailed
from tautune.records.storage import RESULTS_AT, folder_at


def fetch(file: ClusterFile, run: str, folder: Path, *, console: Console) -> None:
    """Copies a run, named by its job or its place, to `folder`; a second call brings what is new.

    Raises:
        InputError: there is no such run, or `folder` holds something else.
        RunFailed: it could not be copied.
    """
    check_programs()
    try:
        if folder.exists() and not (folder / "run.json").is_file() and any(folder.iterdir()):
            raise InputError(f"{folder} exists and holds no run; give a new folder")
        place = run if "://" in run or run.startswith("/") else _place_of(file, run)
        if "://" in place:
            _download(place, folder)
        else:
            _copy(file, place, folder)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}") from None
    console.print(f"{place} is in {folder}", highlight=False, soft_wrap=True)


def _place_of(file: ClusterFile, job: str) -> str:
    """Returns the folder that a job said it writes."""
    with connected(file) as head:
        try:
            check_job(head, job)
        except InputError as error:
            lost = "a job from before the head was lost left its run in the cluster's storage: give its whole path"
            raise InputError(f"{error}; {lost}") from None
        said = re.search(rf"^{re.escape(RESULTS_AT)}(.+)$", head.jobs.get_job_logs(job), re.MULTILINE)
        if not said:
            status = head.jobs.get_job_status(job).value
            raise InputError(f"{job} ({status}) has not said where its results are; see `tautune logs {job}`")
    return said[1].strip()


def _download(place: str, folder: Path) -> None:
    source = folder_at(place)
    assert isinstance(source, UPath)
    if not (source / "run.json").is_file():
        raise _no_run(place)
    folder.mkdir(parents=True, exist_ok=True)
    source.fs.get(f"{source.path}/", f"{folder}/", recursive=True)


def _copy(file: ClusterFile, place: str, folder: Path) -> None:
    """Copies by rsync on premises, else by Ray's own rsync, which finds the head and reaches into its container."""
    if file.on_premises:
        head = file.hosts[0]
        seen = on_host(file, head, f"test -f {shlex.quote(place)}/run.json")
        if seen.returncode == UNREACHED:
            raise InputError(f"{file.path}: {ssh_error(file, head, seen.stderr)}")
        if seen.returncode:
            raise _no_run(f"{place} on {head}")
        command = ["rsync", "-az", "-e", shlex.join(ssh(file)), f"{target(file, head)}:{place}/", f"{folder}/"]
    else:
        command = [ray_command(), "rsync-down", str(file.path), f"{place}/", f"{folder}/"]
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        command, env=ray_environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode or not (folder / "run.json").is_file():
        said = [line for line in done.stdout.splitlines() if "rsync" in line or "No such" in line]
        raise RunFailed(f"{place} could not be copied: {(said or [done.stdout.strip()[-300:]])[0].strip()}")


def _no_run(place: str) -> InputError:
    return InputError(f"there is no run at {place}: it holds no run.json")
