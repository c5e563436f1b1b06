"""Results from the cluster to this machine."""

import re
import subprocess
from pathlib import Path

from rich.console import Console
from upath import UPath

from cluster.cluster_file import ClusterFile
from cluster.errors import InputError, RunFailed
from cluster.head import connected
from cluster.jobs import check_job
from cluster.launcher import check_programs, ray_command, ray_environment
from cluster.storage import RESULTS_AT, folder_at


def fetch(file: ClusterFile, run: str, target: Path, *, console: Console) -> None:
    """Copies a run's folder, given by its job or by where it is, to `target`. A second time it brings what is new.

    Raises:
        InputError: there is no such job, or `target` holds something else.
        RunFailed: it could not be copied.
    """
    check_programs()
    if target.exists() and not (target.is_dir() and (not any(target.iterdir()) or (target / "run.json").is_file())):
        raise InputError(f"{target} exists and holds no run; give a new folder")
    place = run if "://" in run or run.startswith("/") else _place_of(file, run)
    target.mkdir(parents=True, exist_ok=True)
    if "://" in place:
        source = folder_at(place)
        assert isinstance(source, UPath)
        source.fs.get(f"{source.path}/", f"{target}/", recursive=True)
    else:
        _copy(file, place, target)
    if not (target / "run.json").is_file():
        raise RunFailed(f"{place} holds no run.json: the run had not begun, or it is no run")
    console.print(f"{place} is in {target}", highlight=False, soft_wrap=True)


def _place_of(file: ClusterFile, job: str) -> str:
    """The folder that a job said it writes."""
    with connected(file) as head:
        check_job(head, job)
        said = re.search(rf"^{re.escape(RESULTS_AT)}(.+)$", head.jobs.get_job_logs(job), re.MULTILINE)
        if not said:
            status = head.jobs.get_job_status(job).value
            raise InputError(f"{job} ({status}) has not said where its results are; see `tautune logs {job}`")
    return said[1].strip()


def _copy(file: ClusterFile, place: str, target: Path) -> None:
    command = [ray_command(), "rsync-down", str(file.path), f"{place}/", f"{target}/"]
    done = subprocess.run(
        command, env=ray_environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode or "rsync error" in done.stdout:
        lines = [line for line in done.stdout.splitlines() if "rsync" in line or "No such" in line]
        raise RunFailed(f"{place} could not be copied: {lines[-1].strip() if lines else done.stdout.strip()[-300:]}")
