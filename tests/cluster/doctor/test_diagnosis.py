"""What the facts of nodes come to, one fault at a time."""

from dataclasses import replace

from tautune.cluster.doctor import diagnosis
from tautune.cluster.doctor.node_report import NodeReport

WELL = NodeReport(
    host="a",
    versions={"python": "3.11.7", "ray": "2.60.0", "torch": "2.15.0", "tautune": "0.1.0"},
    code="1f",
    token_mode="0600",
    data={"digits": True},
    gpus=1,
    disk_free_bytes=100 * 2**30,
    shared_memory_bytes=8 * 2**30,
)
STORE = {"CPU": 4.0, "GPU": 1.0, "object_store_memory": 4.0 * 2**30}


def test_nodes_that_agree_are_well() -> None:
    both = {"head": WELL, "worker": replace(WELL, versions=WELL.versions | {"python": "3.11.9"})}
    verdicts = [
        diagnosis.versions(both, first="head"),
        diagnosis.code(both, first="head"),
        diagnosis.token_files(both),
        diagnosis.data_sets(both),
        diagnosis.gpus(both, {"head": STORE, "worker": STORE}),
        diagnosis.disks(both),
        diagnosis.shared_memory(both, {"head": STORE, "worker": STORE}),
        diagnosis.clocks({"head": 0.0, "worker": -0.4}),
        diagnosis.feasible([STORE], {"CPU": 1, "GPU": 0.25}),
    ]
    assert all(verdict.ok and not verdict.remedy for verdict in verdicts)


def test_every_fault_names_its_node_and_a_remedy() -> None:
    def of(**changes: object) -> dict[str, NodeReport]:
        return {"head": WELL, "worker": replace(WELL, **changes)}  # type: ignore[arg-type]

    nodes = {"head": STORE, "worker": STORE}
    faults = {
        "worker has ray 2.59.0, head has 2.60.0": diagnosis.versions(
            of(versions=WELL.versions | {"ray": "2.59.0"}), first="head"
        ),
        "worker has python 3.12, head has 3.11": diagnosis.versions(
            of(versions=WELL.versions | {"python": "3.12.1"}), first="head"
        ),
        "worker has other code than head": diagnosis.code(of(code="2e"), first="head"),
        "worker: mode 0644": diagnosis.token_files(of(token_mode="0644")),
        "worker: no ~/.ray/auth_token": diagnosis.token_files(of(token_mode="")),
        "worker lacks digits": diagnosis.data_sets(of(data={"digits": False})),
        "worker: the driver shows 2, Ray offers 1": diagnosis.gpus(of(gpus=2), nodes),
        "worker has 1.0 GiB free": diagnosis.disks(of(disk_free_bytes=2**30)),
        "worker has 2.0 GiB for an object store of 4.0 GiB": diagnosis.shared_memory(
            of(shared_memory_bytes=2 * 2**30), nodes
        ),
        "worker is -3.0 s off": diagnosis.clocks({"head": 0.0, "worker": -3.0}),
        "1 CPU and 2 GPU: the largest has 4 CPU, 1 GPU": diagnosis.feasible([STORE], {"CPU": 1, "GPU": 2}),
    }
    for found, verdict in faults.items():
        assert (verdict.ok, verdict.found) == (False, found)
        assert verdict.remedy
