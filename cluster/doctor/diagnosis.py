"""What the facts about the nodes mean for a run: verdicts, each with its remedy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tautune.cluster.doctor.node_report import NodeReport
from tautune.cluster.session.capacity import Resources, holds, largest

LEAST_DISK = 5 * 2**30
"""Bytes that must be free for Ray's temporary files: spilled objects, logs, packages."""
MOST_SKEW = 2.0
"""Seconds that two clocks may differ: beyond this, curves of several hosts cross in TensorBoard; S3 refuses at 900."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The result of one check."""

    check: str
    ok: bool
    found: str
    remedy: str = ""
    """What to do; empty if nothing is wrong."""


def verdict(check: str, faults: Iterable[str], well: str, remedy: str) -> Verdict:
    """Returns a verdict that is ok if there is no fault; `well` is then what was found."""
    found = list(faults)
    if found:
        return Verdict(check=check, ok=False, found="; ".join(found), remedy=remedy)
    return Verdict(check=check, ok=True, found=well)


def versions(reports: Mapping[str, NodeReport], *, first: str) -> Verdict:
    """Checks that all nodes have the package versions of `first`; Python's patch version may differ."""
    wanted = _versions(reports[first])
    faults = [
        f"{name} has {package} {theirs}, {first} has {wanted[package]}"
        for name, report in reports.items()
        for package, theirs in _versions(report).items()
        if theirs != wanted[package]
    ]
    well = ", ".join(f"{package} {version}" for package, version in reports[first].versions.items())
    return verdict(
        "versions", faults, f"{well} on {len(reports)}", "install the lock file there: `tautune up --update`"
    )


def _versions(report: NodeReport) -> dict[str, str]:
    return report.versions | {"python": ".".join(report.versions["python"].split(".")[:2])}


def code(reports: Mapping[str, NodeReport], *, first: str) -> Verdict:
    """Checks that all nodes have the same tautune: a job runs what `tautune up` sent to its node."""
    faults = [f"{name} has other code than {first}" for name, r in reports.items() if r.code != reports[first].code]
    return verdict("code", faults, f"the same on {len(reports)}", "`tautune up --update` sends it, and ends jobs")


def token_files(reports: Mapping[str, NodeReport]) -> Verdict:
    """Checks that every node has the token, readable by its owner alone."""
    faults = [
        f"{name}: {'mode ' + report.token_mode if report.token_mode else 'no ~/.ray/auth_token'}"
        for name, report in reports.items()
        if report.token_mode != "0600"
    ]
    remedy = "`tautune up` makes and ships it; chmod 600 ~/.ray/auth_token"
    return verdict("token file", faults, f"mode 0600 on {len(reports)}", remedy)


def data_sets(reports: Mapping[str, NodeReport]) -> Verdict:
    """Checks that every node has the data sets that were asked for."""
    faults = [
        f"{name} lacks {data}" for name, report in reports.items() for data, there in report.data.items() if not there
    ]
    wanted = ", ".join(next(iter(reports.values())).data)
    remedy = "put its files there ($TAUTUNE_DATA; Debian has dataset-fashion-mnist), or let the first run download it"
    return verdict("data", faults, f"{wanted} on {len(reports)}", remedy)


def gpus(reports: Mapping[str, NodeReport], resources: Mapping[str, Resources]) -> Verdict:
    """Checks that Ray offers the GPUs that NVIDIA's driver shows."""
    faults = [
        f"{name}: the driver shows {report.gpus}, Ray offers {resources[name].get('GPU', 0):g}"
        for name, report in reports.items()
        if name in resources and report.gpus != resources[name].get("GPU", 0)
    ]
    total = sum(report.gpus for report in reports.values())
    return verdict("GPUs", faults, f"{total} on {len(reports)}", "restart Ray there, or run the image with its GPUs")


def feasible(shapes: list[Resources], wanted: Resources) -> Verdict:
    """Checks that some node, or one that the autoscaler may start, can hold a trial: else it waits for ever."""
    holding = [shape for shape in shapes if holds(shape, wanted)]
    asked = " and ".join(f"{amount:g} {kind}" for kind, amount in wanted.items())
    if holding:
        return Verdict(check="a trial's share", ok=True, found=f"{asked}: {len(holding)} of {len(shapes)} can hold one")
    most = ", ".join(f"{amount:g} {kind}" for kind, amount in largest(shapes, wanted).items())
    remedy = "lower --cpus-per-trial or --gpus-per-trial, or add a machine type to the cluster file"
    return Verdict(check="a trial's share", ok=False, found=f"{asked}: the largest has {most}", remedy=remedy)


def clocks(skews: Mapping[str, float]) -> Verdict:
    """Checks that the nodes' clocks agree with the driver's; `skews` are in seconds."""
    faults = [f"{name} is {skew:+.1f} s off" for name, skew in skews.items() if abs(skew) > MOST_SKEW]
    most = max((abs(skew) for skew in skews.values()), default=0.0)
    return verdict("clocks", faults, f"within {most:.2f} s", "set them by NTP (Debian: apt-get install chrony)")


def disks(reports: Mapping[str, NodeReport]) -> Verdict:
    """Checks that every node has room for Ray's temporary files."""
    faults = [
        f"{name} has {report.disk_free_bytes / 2**30:.1f} GiB free"
        for name, report in reports.items()
        if report.disk_free_bytes < LEAST_DISK
    ]
    least = min(report.disk_free_bytes for report in reports.values()) / 2**30
    return verdict("disk", faults, f"{least:.0f} GiB free or more", f"free {LEAST_DISK / 2**30:.0f} GiB in /tmp")


def shared_memory(reports: Mapping[str, NodeReport], resources: Mapping[str, Resources]) -> Verdict:
    """Checks that Ray's object store fits into /dev/shm; otherwise Ray keeps it on the disk, which is slow."""
    faults = [
        f"{name} has {report.shared_memory_bytes / 2**30:.1f} GiB for an object store of {store / 2**30:.1f} GiB"
        for name, report in reports.items()
        if report.shared_memory_bytes and report.shared_memory_bytes < (store := _store(resources.get(name, {})))
    ]
    return verdict("shared memory", faults, "holds the object store", "enlarge /dev/shm (docker: --shm-size)")


def _store(resources: Resources) -> float:
    return resources.get("object_store_memory", 0.0)
