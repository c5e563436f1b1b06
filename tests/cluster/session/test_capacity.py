from pathlib import Path

from tautune.cluster.session.capacity import holds, machine_types


def test_machines_that_the_autoscaler_may_start_count(tmp_path: Path) -> None:
    file = tmp_path / "ray_bootstrap_config.yaml"
    assert machine_types(file) == []
    file.write_text(
        "available_node_types:\n"
        "  head: {resources: {CPU: 4}, max_workers: 0}\n"
        "  gpu_worker: {resources: {CPU: 4, GPU: 1}, max_workers: 4, node_config: {}}\n"
    )
    assert machine_types(file) == [{"CPU": 4, "GPU": 1}]
    assert holds(machine_types(file)[0], {"CPU": 1, "GPU": 0.25})
    assert not holds(machine_types(file)[0], {"CPU": 1, "GPU": 2})
