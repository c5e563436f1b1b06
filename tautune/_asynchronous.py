"""`tautune.AsynchronousTraining`: trains a model of the user's with Ray workers whose gradients come when they come."""

import copy
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tautune.cluster.session.session import ray_session
from tautune.records.delay_trace import write_delays

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from tautune.trainables.asynchronous.batches import Batches
    from tautune.trainables.asynchronous.modes import Mode
    from tautune.trainables.asynchronous.own_loss import Loss
    from tautune.trainables.asynchronous.server import Row


class AsynchronousTraining:
    """Trains a model in this process with gradients that N workers compute, as Ray actors on any hosts.

        with tautune.AsynchronousTraining(model, loss, batches, optimizer, workers=4) as training:
            for epoch in range(5):
                rows = training.run(updates=100)
                print(sum(row.loss for row in rows) / len(rows), sum(row.age for row in rows) / len(rows))

    This process is the parameter server: `model` and `optimizer` are its own, and are at the newest weights after each
    `run`. If no Ray is running and RAY_ADDRESS is not set, one is started on this machine until `close()`.

    Memory here: one gradient for each worker, and with batch normalization its running estimates. The model's running
    estimates are the mean of the workers' after each run.

    Args:
        model: an `nn.Module`, of which every worker has a copy; what is in eval mode when it is given stays there.
        loss: a function of a model and a batch that returns the loss, a scalar: `lambda model, batch: …`.
        batches: a function of a batch's number, a sequence of batches, or an iterable such as a DataLoader, which each
            worker passes over by itself, and which must have the same order in all of them.
        optimizer: any torch optimizer over the model's parameters; or remedies around `tautune.ArrivingGradients`.
        workers: N ≥ 1.
        mode: as-they-come; round-robin, where every gradient is N-1 updates late; synchronous; wait:AGE and drop:AGE,
            where none older is applied; buffered:K, where K gradients are averaged.
        slowdown: how many times as long as it needs each worker takes for a gradient, for experiments.
        cpus_per_worker: CPU cores that each worker takes.
        gpus_per_worker: GPUs that each worker takes; with a fraction, workers share one.
        seed: of dropout and other random numbers of torch's in the workers, which depend on the batch's number alone.

    Raises:
        ValueError: an argument is out of its bounds, or the cluster cannot hold so many workers; says what is missing.
    """

    def __init__(
        self,
        model: "nn.Module",
        loss: "Loss",
        batches: "Batches",
        optimizer: "Optimizer",
        *,
        workers: int,
        mode: "str | Mode" = "as-they-come",
        slowdown: Sequence[float] = (),
        cpus_per_worker: float = 1.0,
        gpus_per_worker: float = 0.0,
        seed: int = 0,
    ) -> None:
        import ray

        from tautune.trainables.asynchronous.batches import NumberedBatches
        from tautune.trainables.asynchronous.group import Group
        from tautune.trainables.asynchronous.modes import parse_mode
        from tautune.trainables.asynchronous.own_loss import MakeOwnLoss
        from tautune.trainables.asynchronous.server import ParameterServer
        from tautune.trainables.asynchronous.settings import Workers, missing

        asked = Workers(count=workers, cpus=cpus_per_worker, gpus=gpus_per_worker, slowdown=tuple(slowdown))
        NumberedBatches(batches)
        make = MakeOwnLoss(copy.deepcopy(model).cpu(), loss, batches, seed)
        server = ParameterServer(model, optimizer, parse_mode(mode), workers)
        self.model, self.optimizer = model, server.optimizer
        self.rows: list[Row] = []
        """What was applied since the beginning: `step`, `worker`, `age` (in updates), `batch` and `loss` of each."""
        with ExitStack() as until_made:
            until_made.enter_context(ray_session())
            have = ray.cluster_resources()
            if lacking := missing(asked, have.get("CPU", 0.0), have.get("GPU", 0.0)):
                raise ValueError(lacking)
            self._group = Group(server, make, asked)
            until_made.callback(self._group.close)
            self._stack = until_made.pop_all()

    def run(self, updates: int, on_update: "Callable[[list[Row]], bool]" = lambda rows: False) -> "list[Row]":
        """Makes so many updates of the model, or fewer if `on_update` returns True after one of them.

        Returns what was applied: for each gradient the update's number, the worker, its age in updates, the number of
        its batch and its loss.

        Raises:
            RuntimeError: a worker's own code raised; the message has its traceback.
        """
        rows = self._group.run(updates, on_update)
        self.rows += rows
        return rows

    def write_delays(self, path: str | Path) -> None:
        """Writes a CSV table of the gradients that were applied: step, worker, age, and two numbers to repeat it by."""
        write_delays(Path(path), self.rows)

    def state_dict(self) -> dict[str, Any]:
        """Returns all that training needs to go on bit for bit, beside the model's and the optimizer's own states.

        It waits for the gradients that are being computed, which are part of it.
        """
        return self._group.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a state, before the first run; model and optimizer are loaded by the caller."""
        self._group.server.load_state_dict(state)

    def close(self) -> None:
        """Ends the workers, and the Ray that was started for them."""
        self._stack.close()

    def __enter__(self) -> "AsynchronousTraining":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
