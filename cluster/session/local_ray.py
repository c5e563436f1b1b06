"""A Ray of our own for one command on this machine, which starts in two thirds of the time that Ray's own takes.

What is not in Ray's public interface is all here; it is that of the locked version.
"""

import threading
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import ray
import ray._private.node

IMPATIENT = {"raylet_client_connect_timeout_milliseconds": 50, "raylet_client_num_connect_attempts": 200}
"""Ray's processes that were not ready for one another would wait a second, which every other start does."""
SELDOM = "tautune.cluster.session.gc_threshold"


class _Node(ray._private.node.Node):
    """Without the processes that one command on one machine has no use for, each of which imports Ray.

    The autoscaler's also ends a second late, as it waits for the answer of a Ray that is gone.
    """

    def start_monitor(self) -> None:
        """No autoscaler."""

    def start_api_server(self, **options: Any) -> None:
        """No dashboard, and no jobs."""
        self._webui_url = None

    def start_log_monitor(self) -> None:
        """Nothing that trials print is shown here."""

    def start_ray_processes(self) -> None:
        """Also waits until the node is there, for which Ray would look once a second."""
        super().start_ray_processes()
        for _ in range(1000):
            if self.get_gcs_client().get_all_node_info(timeout=10):
                break
            time.sleep(0.02)


def start_local_ray(meanwhile: Sequence[str], in_workers: Sequence[str], **options: Any) -> None:
    """`ray.init` of a new Ray; see `ray_session`, which is to be used."""
    importing = threading.Thread(target=lambda: [import_module(name) for name in meanwhile])
    importing.start()
    usual, ray._private.node.Node = ray._private.node.Node, _Node
    try:
        configuration = IMPATIENT | {"preload_python_modules": [SELDOM, *in_workers]}
        ray.init(address="local", include_dashboard=False, _system_config=configuration, **options)
    finally:
        ray._private.node.Node = usual
        importing.join()
