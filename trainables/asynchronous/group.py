"""A parameter server in this process, with its workers as Ray actors on whatever hosts there are."""

from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import RayError

from tautune.trainables.asynchronous.own_loss import device_of
from tautune.trainables.asynchronous.place import place_of
from tautune.trainables.asynchronous.server import ParameterServer, Row
from tautune.trainables.asynchronous.serving import Serving, WorkerFailed
from tautune.trainables.asynchronous.settings import Workers
from tautune.trainables.asynchronous.worker import Gradients, Worker

RETRIES = 10
"""Times that Ray starts a worker anew whose process or host was lost."""

GRACE = 2.0
"""Seconds that workers have to end by themselves."""


class Group:
    """A parameter server whose workers are there from the first run until `close()`.

    A worker whose process or host is lost is started anew by Ray, on a host that has room for it, and the others go on
    meanwhile. Inside a placement group of Ray Tune's, worker n takes the bundle n+1.

    Args:
        server: what the gradients are applied to.
        make: makes, in a worker's process, what computes gradients on a device.
        workers: how many workers, and what each takes.
    """

    def __init__(self, server: ParameterServer, make: Callable[[str], Gradients], workers: Workers) -> None:
        self.server = server
        self.serving = Serving(server, ray.util.get_node_ip_address(), self._watch)
        actor, device = ray.remote(Worker), device_of(workers.gpus)
        self.actors: list[Any] = []
        for number in range(workers.count):
            options = actor.options(
                num_cpus=1 if workers.cpus is None else workers.cpus,
                num_gpus=workers.gpus,
                max_restarts=RETRIES,
                max_task_retries=RETRIES,
                scheduling_strategy=place_of(number),
            )
            slowdown = workers.slowdown[number] if workers.slowdown else 1.0
            threads = max(1, int(workers.cpus or 1))
            self.actors.append(options.remote(number, slowdown=slowdown, device=device, threads=threads))
        shared = ray.put(make)  # once a node
        self._ends = [one.run.remote(shared, self.serving.address, self.serving.key) for one in self.actors]

    def run(self, updates: int, on_update: Callable[[list[Row]], bool] = lambda rows: False) -> list[Row]:
        """Makes so many updates, or fewer if `on_update` returns True after one. Returns what was applied, in order.

        Raises:
            WorkerFailed: a worker's own code raised, or Ray could not bring a worker back.
        """
        applied: list[Row] = []

        def take(rows: list[Row]) -> bool:
            applied.extend(rows)
            return on_update(rows)

        self.serving.run(updates, take)
        return applied

    def state_dict(self) -> dict[str, Any]:
        """Returns the server's state, when the gradients that are being computed have come."""
        self.serving.drain()
        return self.server.state_dict()

    def close(self) -> None:
        """Ends the workers."""
        self.serving.close()
        ray.wait(self._ends, num_returns=len(self._ends), timeout=GRACE)
        for one in self.actors:
            ray.kill(one)

    def _watch(self) -> None:
        """Raises WorkerFailed if a worker has ended that cannot come back."""
        ended, _ = ray.wait(self._ends, num_returns=len(self._ends), timeout=0)
        for end in ended:
            number = self._ends.index(end)
            try:
                ray.get(end)
            except RayError as error:
                raise WorkerFailed(f"worker {number} could not be brought back: {error}") from None
            raise WorkerFailed(f"worker {number} has ended although it was still needed")
