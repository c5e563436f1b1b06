"""`tautune doctor`: everything that a run needs, tried before the run."""

import time
from pathlib import Path

from tautune.cluster.doctor import diagnosis
from tautune.cluster.doctor.diagnosis import Verdict
from tautune.cluster.doctor.examination import CLIENT_PORT, Findings, Wanted, examine
from tautune.cluster.doctor.node_report import report
from tautune.cluster.remote.cluster_file import ClusterFile
from tautune.cluster.remote.head import DASHBOARD, Head, answers, connected
from tautune.cluster.remote.jobs import run_name
from tautune.cluster.remote.launcher import source_tree
from tautune.cluster.remote.ray_cli import head_of_cloud
from tautune.cluster.remote.working_directory import EXCLUDED, LIMIT, check_size
from tautune.cluster.session.session import ray_session
from tautune.records.errors import InputError, RunFailed

LAPTOP = "this machine"
EXAMINED_SECONDS = 300.0
"""Seconds that the head's part of the examination may take: a node may have to unpack the working directory."""
GCS_PORT = 6379
CLOSED = (DASHBOARD, CLIENT_PORT, GCS_PORT)
"""Ports of the head that other machines must not reach, because of a cloud's firewall or because of loopback."""


def examine_here(wanted: Wanted) -> Findings:
    """Examines this machine, or the cluster that RAY_ADDRESS names."""
    with ray_session():
        return examine(wanted)


def examine_cluster(file: ClusterFile, wanted: Wanted, *, working_dir: Path) -> list[Verdict]:
    """Examines this machine and a cluster: a job on the head tells what a run would find there."""
    here = {LAPTOP: report()}
    mine = [_working_directory(working_dir)]
    with connected(file) as head:
        mine.append(Verdict(check="token is accepted", ok=True, found="by the Jobs API"))
        found = _ask_head(head, wanted)
    all_of_them = here | found.reports
    everywhere = [
        diagnosis.versions(all_of_them, first=LAPTOP),
        diagnosis.code(all_of_them, first=LAPTOP),
        diagnosis.token_files(all_of_them),
    ]
    told = {verdict.check for verdict in everywhere}
    return [*everywhere, *mine, _ports(file), *(verdict for verdict in found.verdicts if verdict.check not in told)]


def _ask_head(head: Head, wanted: Wanted) -> Findings:
    """Runs `tautune doctor` as a job on the head.

    Raises:
        RunFailed: it does not end in time, or ends without findings.
    """
    job = run_name(["doctor"])
    environment = {"working_dir": str(source_tree()), "excludes": list(EXCLUDED)}
    head.submit(job, ["doctor", "--json", *_arguments(wanted)], shown=["doctor"], runtime_env=environment)
    end = time.monotonic() + EXAMINED_SECONDS
    while not head.jobs.get_job_status(job).is_terminal():
        if time.monotonic() > end:
            head.jobs.stop_job(job)
            raise RunFailed(
                f"the head has not examined its cluster within {EXAMINED_SECONDS:.0f} s; see `tautune logs {job}`"
            )
        time.sleep(0.5)
    said = head.jobs.get_job_logs(job).strip().splitlines()
    if not said or not said[-1].startswith('{"reports"'):
        raise RunFailed(f"the head cannot examine its cluster: {said[-1] if said else 'no answer'} (job {job})")
    return Findings.of_json(said[-1])


def _arguments(wanted: Wanted) -> list[str]:
    arguments = [f"--cpus-per-trial={wanted.cpus_per_trial}", f"--gpus-per-trial={wanted.gpus_per_trial}"]
    arguments += [f"--data={name}" for name in wanted.data]
    return arguments + ([f"--storage={wanted.storage}"] if wanted.storage else [])


def _working_directory(folder: Path) -> Verdict:
    remedy = "move data elsewhere, or let git ignore them"
    try:
        size = check_size(folder)
    except InputError as error:
        return Verdict(check="working directory", ok=False, found=str(error), remedy=remedy)
    found = f"{size / 2**20:.1f} MiB to send, at most {LIMIT / 2**20:.0f}"
    return Verdict(check="working directory", ok=True, found=found)


def _ports(file: ClusterFile) -> Verdict:
    """Tries from here whether ports are open. On premises, the GCS may be: the machines share a network."""
    head = file.hosts[0] if file.on_premises else head_of_cloud(file.path)
    if head is None:
        raise RunFailed(f"the cloud does not give the address of {file.name}'s head")
    closed = (DASHBOARD,) if file.on_premises else CLOSED
    faults = [f"{head}:{port} is open to {LAPTOP}" for port in closed if answers(head, port)]
    well = f"{', '.join(map(str, closed))} of {head} closed to {LAPTOP}"
    return diagnosis.verdict(
        "ports", faults, well, "bind the dashboard to 127.0.0.1; let the firewall pass nothing but SSH"
    )
