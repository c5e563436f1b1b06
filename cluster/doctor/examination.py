"""What a run's driver can try on its cluster: facts about every node, the storage, whether the token is required."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import grpc
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tautune.cluster.doctor import diagnosis
from tautune.cluster.doctor.diagnosis import Verdict
from tautune.cluster.doctor.node_report import NodeReport, report
from tautune.cluster.remote.head import DASHBOARD
from tautune.cluster.remote.ray_cli import ray_command
from tautune.cluster.session.capacity import Resources, node_shapes
from tautune.records.errors import InputError

NODE_SECONDS = 120
"""Seconds in which a node has to start a process and answer."""
CLIENT_PORT = 10001
"""Where Ray client listens on the head."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a run would need."""

    cpus_per_trial: float = 1
    gpus_per_trial: float = 0
    data: tuple[str, ...] = ()
    storage: str | None = None
    """A folder or bucket; None is the cluster's default."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What an examination found."""

    reports: dict[str, NodeReport]
    """By address, the head's first."""
    verdicts: list[Verdict]

    def as_json(self) -> str:
        reports = {name: asdict(report) for name, report in self.reports.items()}
        return json.dumps({"reports": reports, "verdicts": [asdict(verdict) for verdict in self.verdicts]})

    @staticmethod
    def of_json(text: str) -> "Findings":
        found = json.loads(text)
        return Findings(
            reports={name: NodeReport(**fields) for name, fields in found["reports"].items()},
            verdicts=[Verdict(**fields) for fields in found["verdicts"]],
        )


class _Examiner:
    """Runs on every node, to tell about it."""

    def report(self, data: tuple[str, ...]) -> NodeReport:
        sent = Path.home() / "tautune"  # by `tautune up`
        return report(data, sent if sent.is_dir() else None)

    def clock(self) -> float:
        return time.time()


def examine(wanted: Wanted) -> Findings:
    """Examines the cluster of the present Ray session; its token and storage only where RAY_ADDRESS names it."""
    nodes = sorted((n for n in ray.nodes() if n["Alive"]), key=lambda n: "node:__internal_head__" not in n["Resources"])
    resources: dict[str, Resources] = {node["NodeManagerAddress"]: node["Resources"] for node in nodes}
    reports, skews, silent = _ask(nodes, wanted.data)
    share = {"CPU": wanted.cpus_per_trial, "GPU": wanted.gpus_per_trial}
    verdicts = [
        diagnosis.verdict(
            "nodes", [f"{name} does not answer" for name in silent], f"{len(reports)} answer", "restart Ray there"
        ),
        diagnosis.feasible(node_shapes(), {kind: amount for kind, amount in share.items() if amount}),
    ]
    if reports:
        verdicts += [
            diagnosis.versions(reports, first=next(iter(reports))),
            diagnosis.gpus(reports, resources),
            diagnosis.clocks(skews),
            diagnosis.disks(reports),
            diagnosis.shared_memory(reports, resources),
        ]
        if wanted.data:
            verdicts.append(diagnosis.data_sets(reports))
    if os.environ.get("RAY_ADDRESS"):
        address = ray.get_runtime_context().gcs_address
        verdicts += [diagnosis.token_files(reports), _token_is_required(address), _storage(wanted.storage)]
    return Findings(reports=reports, verdicts=verdicts)


def _ask(nodes: list[Any], data: tuple[str, ...]) -> tuple[dict[str, NodeReport], dict[str, float], list[str]]:
    """Returns reports and clock offsets in seconds, by address, and the addresses that did not answer."""
    remote = ray.remote(num_cpus=0)(_Examiner)
    examiners = {
        node["NodeManagerAddress"]: remote.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote()
        for node in nodes
    }
    asked = {address: examiner.report.remote(data) for address, examiner in examiners.items()}
    reports: dict[str, NodeReport] = {}
    skews: dict[str, float] = {}
    silent = []
    end = time.monotonic() + NODE_SECONDS
    for address, answer in asked.items():
        try:
            reports[address] = ray.get(answer, timeout=max(1.0, end - time.monotonic()))
            before = time.time()
            there = ray.get(examiners[address].clock.remote(), timeout=10)
            skews[address] = there - (before + time.time()) / 2
        except (ray.exceptions.RayError, TimeoutError):
            silent.append(address)
    return reports, skews, silent


def _token_is_required(gcs_address: str) -> Verdict:
    """Checks that the dashboard, the GCS and Ray client of this head refuse whoever has no token."""
    host = gcs_address.rpartition(":")[0]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    answering = {
        "the dashboard": _dashboard_answers(),
        "the GCS": _gcs_answers(gcs_address, plain | {"RAY_AUTH_MODE": "disabled"}),
        "Ray client": _client_answers(f"{host}:{CLIENT_PORT}"),
    }
    faults = [f"{name} answers without a token" for name, answers in answering.items() if answers]
    if not _gcs_answers(gcs_address, dict(os.environ)):
        faults.append("the GCS does not answer with the token either")
    remedy = "set RAY_AUTH_MODE=token where `ray start` is called; `tautune up --update`"
    return diagnosis.verdict("token is required", faults, ", ".join(answering), remedy)


def _storage(given: str | None) -> Verdict:
    """Checks that each host can read what another wrote."""
    from tautune.cluster.session.storage_probe import probe
    from tautune.records.storage import folder_at, storage_root

    remedy = "give all hosts one disk or bucket, and the right to write: TAUTUNE_STORAGE in the cluster file"
    try:
        if given is None and not os.environ.get("TAUTUNE_STORAGE"):
            return diagnosis.verdict("storage", ["TAUTUNE_STORAGE is not set for the head's Ray"], "", remedy)
        folder = folder_at(given) if given else storage_root()
        faults = [f"{host.node}: {host.fault}" for host in probe(folder) if host.fault]
    except InputError as error:
        return diagnosis.verdict("storage", [str(error)], "", remedy)
    return diagnosis.verdict("storage", faults, f"{folder}, written and read by every host", remedy)


def _dashboard_answers() -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{DASHBOARD}/api/jobs/", timeout=10):
            return True
    except urllib.error.HTTPError as error:
        return error.code not in (401, 403)
    except OSError:
        return False


def _gcs_answers(address: str, environment: dict[str, str]) -> bool:
    command = [ray_command(), "status", "--address", address]
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


def _client_answers(address: str) -> bool:
    from ray.core.generated import ray_client_pb2, ray_client_pb2_grpc

    with grpc.insecure_channel(address) as channel:
        try:
            ray_client_pb2_grpc.RayletDriverStub(channel).ClusterInfo(
                ray_client_pb2.ClusterInfoRequest(type=ray_client_pb2.ClusterInfoType.PING), timeout=10
            )
        except grpc.RpcError:
            return False
    return True
