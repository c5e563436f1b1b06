"""The nodes that a cluster has or can get: an autoscaler starts a machine only once something waits for it."""

import os
from collections.abc import Iterable
from pathlib import Path

import ray
import yaml

Resources = dict[str, float]
LAUNCHED_WITH = Path("~/ray_bootstrap_config.yaml")
"""The cluster file as `ray up` left it on the head, completed with each machine type's processors and GPUs."""


def holds(shape: Resources, wanted: Resources) -> bool:
    """Returns whether a node of this shape has all that is wanted."""
    return all(shape.get(kind, 0) >= amount for kind, amount in wanted.items())


def largest(shapes: list[Resources], kinds: Iterable[str]) -> Resources:
    """Returns the most that any node has, of each kind of resource."""
    return {kind: max((shape.get(kind, 0) for shape in shapes), default=0) for kind in kinds}


def node_shapes() -> list[Resources]:
    """Returns the resources of every node that is up and of every machine type that the autoscaler may start."""
    up = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return up + (machine_types(LAUNCHED_WITH.expanduser()) if os.environ.get("RAY_ADDRESS") else [])


def machine_types(file: Path) -> list[Resources]:
    """Returns the resources of the machine types in a cluster file that Ray completed; none if the file is missing."""
    if not file.is_file():
        return []
    kinds = (yaml.safe_load(file.read_text()) or {}).get("available_node_types", {})
    return [kind.get("resources", {}) for kind in kinds.values() if kind.get("max_workers", 0) > 0]
