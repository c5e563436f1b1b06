"""Whether every host of the cluster can use a folder, tried before anything depends on it."""

import contextlib
import secrets
from dataclasses import dataclass
from pathlib import Path

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tautune.records.errors import InputError
from tautune.records.storage import Folder, make, reason

ARRIVAL_SECONDS = 300.0
"""Time in seconds in which a host has to start a process: where eight jobs began at once, some took over a minute."""
ANSWER_SECONDS = 60.0
"""Time in seconds in which that process has to try the folder: a dead network disk never answers."""


@dataclass(frozen=True)
class Verdict:
    """What was found on one host."""

    node: str
    """Its address."""
    fault: str
    """Empty if the host reads what another host wrote in the folder, and the other way round."""


def check_storage(output: Folder) -> None:
    """Raises InputError, naming host, folder and reason, if some host of the connected cluster cannot use it."""
    hosts = len(_nodes())
    if hosts == 1 and isinstance(output, Path):
        return
    bad = [verdict for verdict in probe(output) if verdict.fault]
    if bad:
        others = f" ({len(bad)} of {hosts} hosts)" if len(bad) > 1 else ""
        hint = "; give s3://…, gs://… or a folder of a disk that all hosts share" if isinstance(output, Path) else ""
        raise InputError(f"{output} on {bad[0].node}: {bad[0].fault}{others}{hint}")


def probe(output: Folder) -> list[Verdict]:
    """Returns a verdict on each host: a file written here is read there, and one written there is read here.

    Nothing is left behind.
    """
    token = secrets.token_hex(8)
    made = [] if not isinstance(output, Path) else [p for p in (output, *output.parents) if not p.exists()]
    ours = output / f".probe-{token}"
    nodes = {node["NodeID"]: node["NodeManagerAddress"] for node in _nodes()}
    theirs = {node: output / f".probe-{token}-{node}" for node in nodes}
    try:
        if fault := _fault_of_writing(ours, token):
            return [Verdict("this host", fault)]
        faults = _visit_all(ours, theirs, token)
        alive = [node["NodeID"] for node in _nodes()]  # a host that was lost meanwhile says nothing about the folder
        return [Verdict(nodes[node], fault) for node, fault in faults.items() if not fault or node in alive]
    finally:
        for file in (ours, *theirs.values()):
            with contextlib.suppress(Exception):
                file.unlink()
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _fault_of_writing(file: Folder, token: str) -> str:
    try:
        make(file.parent)
        file.write_bytes(token.encode())
    except Exception as error:  # noqa: BLE001 - every kind of storage has its own
        return f"it cannot be written: {reason(error)}"
    return ""


def _visit_all(ours: Folder, theirs: dict[str, Folder], token: str) -> dict[str, str]:
    """Returns what is wrong with the folder on each node, or nothing."""
    places = {node: NodeAffinitySchedulingStrategy(node, soft=False) for node in theirs}
    arrive, visit = (ray.remote(num_cpus=0, max_retries=0)(task) for task in (_arrive, _visit))
    arrived = [arrive.options(scheduling_strategy=place).remote() for place in places.values()]
    ray.wait(arrived, num_returns=len(arrived), timeout=ARRIVAL_SECONDS)  # what failed fails again below
    said = {
        node: visit.options(scheduling_strategy=places[node]).remote(ours, file, token) for node, file in theirs.items()
    }
    return {node: _fault(said[node], file, token) for node, file in theirs.items()}


def _arrive() -> None:
    """Runs on each host first, so that the visit finds a process there."""


def _nodes() -> list[dict[str, str]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _visit(ours: Folder, theirs: Folder, token: str) -> str:
    """Runs on each host; returns what is wrong, or nothing."""
    try:
        if isinstance(ours, Path) and not ours.parent.is_dir():
            return "it is not there: no disk that is shared"
        if not ours.exists():
            return "what this host wrote is not there: another folder of the same name"
        if ours.read_bytes() != token.encode():
            return "it holds another content"
    except Exception as error:
        return f"it cannot be read: {reason(error)}"
    return _fault_of_writing(theirs, token)


def _fault(visit: ray.ObjectRef, file: Folder, token: str) -> str:
    try:
        fault: str = ray.get(visit, timeout=ANSWER_SECONDS)
        if fault:
            return fault
        if file.read_bytes() != token.encode():
            return "what it wrote has another content here"
    except FileNotFoundError:
        return "what it wrote is not here"
    except ray.exceptions.GetTimeoutError:
        return f"no answer within {ANSWER_SECONDS:.0f} s"
    except Exception as error:
        return reason(error)
    return ""
