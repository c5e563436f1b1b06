"""The stages of an asynchronous pipeline as Ray actors."""

from collections.abc import Callable, Sequence
from typing import Any

import ray
from torch import Tensor, nn
from torch.optim import Optimizer

from tautune.trainables.asynchronous.batches import Batches
from tautune.trainables.asynchronous.settings import Workers
from tautune.trainables.asynchronous.stage import Stage


class StageActor(Stage):
    """A stage that says where it is in the cluster."""

    def where(self) -> tuple[tuple[str, int], bytes]:
        """Listens for the stage before this one, and returns its address and key."""
        return self.listen(ray.util.get_node_ip_address())

    def run_with(self, updates: int, shared: tuple[Batches, Callable[[Any, Any], Tensor]]) -> list[tuple[int, float]]:
        """Makes so many updates with batches and a loss."""
        return self.run(updates, *shared)


class StageGroup:
    """Starts the stages of a pipeline, spread over the hosts, and connects each with the next.

    Args:
        parts: the stages, which are given the newest weights after each run.
        optimizer: makes a stage's optimizer.
        loss: of the last stage's output and a batch's targets.
        batches: by their number.
        places: how many stages, and what each takes.
        stashing, seed: see `Stage`.
    """

    def __init__(
        self,
        parts: Sequence[nn.Module],
        optimizer: Callable[[Any], Optimizer],
        loss: Callable[[Any, Any], Tensor],
        batches: Batches,
        places: Workers,
        *,
        stashing: bool,
        seed: int,
    ) -> None:
        self.parts = parts
        actor = ray.remote(StageActor).options(num_cpus=places.cpus, num_gpus=places.gpus, scheduling_strategy="SPREAD")
        self._shared = ray.put((batches, loss))
        self._stages: list[Any] = [
            actor.remote(part, optimizer, number, len(parts), stashing=stashing, seed=seed)
            for number, part in enumerate(parts)
        ]
        where = ray.get([stage.where.remote() for stage in self._stages])
        following = [*where[1:], (None, b"")]
        ray.get([stage.connect.remote(*next_) for stage, next_ in zip(self._stages, following, strict=True)])

    def run(self, updates: int) -> list[list[tuple[int, float]]]:
        """Makes so many updates. Returns each stage's ages and losses, and gives the parts their newest weights.

        Raises:
            RuntimeError: a stage failed or was lost.
        """
        running = [stage.run_with.remote(updates, self._shared) for stage in self._stages]
        try:
            done: list[list[tuple[int, float]]] = ray.get(running)
        except ray.exceptions.RayError as error:
            raise RuntimeError(f"a stage of the pipeline failed or was lost: {error}") from None
        for part, state in zip(self.parts, ray.get([stage.state.remote() for stage in self._stages]), strict=True):
            part.load_state_dict(state)
        return done

    def close(self) -> None:
        """Ends the stages."""
        for stage in self._stages:
            ray.kill(stage)
