"""The stages of an asynchronous pipeline as Ray actors."""

import traceback
from collections.abc import Callable, Sequence
from typing import Any

import ray
import torch
from ray.exceptions import RayActorError, RayTaskError

from tautune.trainables.asynchronous.part import Part
from tautune.trainables.asynchronous.place import place_of
from tautune.trainables.asynchronous.settings import Stages
from tautune.trainables.asynchronous.stage import Stage, Update
from tautune.trainables.asynchronous.wire import Lost
from tautune.trainables.raised import is_rays_own

Running = list[Any]
"""What each stage will have done."""


class StageLost(RuntimeError):
    """A stage's process or host is lost, and its weights with it."""


class StageFailed(RuntimeError):
    """A stage's own code raised: the model, the loss, or the data. The message has the traceback."""


class StageActor(Stage):
    """A stage that makes its part in its own process, and says where it is in the cluster."""

    def __init__(
        self, make: Callable[[Any], Part], shared: Any, place: tuple[int, int], threads: int, **how: Any
    ) -> None:
        torch.set_num_threads(threads)
        super().__init__(make(shared), *place, **how)

    def run(self, updates: int, rates: Sequence[float] = ()) -> list[Update]:
        """Makes so many updates; a user's code that exits has failed, while Ray's own exit is a loss."""
        try:
            return super().run(updates, rates)
        except SystemExit as error:
            if is_rays_own(error):
                raise
            raise RuntimeError(f"the code of a stage has exited with {error.code!r}") from error

    def where(self, state: dict[str, Any] | None) -> tuple[tuple[str, int], bytes]:
        """Goes on from a state, if there is one, listens for the stage before, and returns its address and key."""
        if state is not None:
            self.load_state_dict(state)
        return self.listen(ray.util.get_node_ip_address())


class StageGroup:
    """Starts the stages of a pipeline, spread over the hosts, and connects each with the next.

    Args:
        makes: for each stage, what makes its part.
        shared: what all of them are given, which each host receives once.
        stages: how many they are, and what each takes.
        seed: of dropout.
        states: those of stages to go on from.

    Raises:
        StageFailed, StageLost: a stage did not start.
    """

    def __init__(
        self,
        makes: Sequence[Callable[[Any], Part]],
        shared: Any,
        stages: Stages,
        *,
        seed: int,
        states: Sequence[dict[str, Any]] = (),
    ) -> None:
        cpus = 1 if stages.cpus is None else stages.cpus
        actor, given = ray.remote(StageActor), ray.put(shared)
        self._stages: list[Any] = [
            actor.options(num_cpus=cpus, scheduling_strategy=place_of(number)).remote(
                make, given, (number, len(makes)), max(1, int(cpus)), stashing=stages.stashing, seed=seed
            )
            for number, make in enumerate(makes)
        ]
        from_: list[Any] = list(states) or [None] * len(makes)
        where = _got([stage.where.remote(state) for stage, state in zip(self._stages, from_, strict=True)])
        following = [*where[1:], (None, b"")]
        _got([stage.connect.remote(*next_) for stage, next_ in zip(self._stages, following, strict=True)])

    def start(self, updates: int, rates: Sequence[float] = ()) -> Running:
        """Has every stage make so many updates, after those that it was asked for before."""
        return [stage.run.remote(updates, rates) for stage in self._stages]

    def finish(self, running: Running) -> list[list[Update]]:
        """Returns what each stage has done, when all have.

        Raises:
            StageFailed: a stage's own code raised.
            StageLost: the process or the host of a stage is lost.
        """
        done: list[list[Update]] = _got(running)
        return done

    def weights(self) -> list[dict[str, Any]]:
        """Returns each stage's newest weights and buffers."""
        return _got([stage.weights.remote() for stage in self._stages])

    def state(self) -> list[dict[str, Any]]:
        """Returns what each stage needs to go on bit for bit."""
        return _got([stage.state_dict.remote() for stage in self._stages])

    def close(self) -> None:
        """Ends the stages."""
        for stage in self._stages:
            ray.kill(stage)


def _got(references: list[Any]) -> list[Any]:
    """Returns the values, or raises what began it where one failure has brought others about."""
    ray.wait(references, num_returns=len(references))
    found, errors = list[Any](), list[Exception]()
    for reference in references:
        try:
            found.append(ray.get(reference))
        except ray.exceptions.RayError as error:
            errors.append(error)
    if not errors:
        return found
    own = next((error for error in errors if _is_own(error)), None)
    if own is not None:
        raise StageFailed(f"a stage of the pipeline raised:\n{own}") from None
    gone = next((e for e in errors if isinstance(e, RayActorError)), errors[0])
    raise StageLost(f"a stage of the pipeline was lost: {''.join(traceback.format_exception_only(gone)).strip()}")


def _is_own(error: Exception) -> bool:
    """Returns whether the code of a stage raised, at its start or later, and not since a neighbour was gone."""
    if isinstance(error, RayActorError):
        return bool(error.actor_init_failed)
    return isinstance(error, RayTaskError) and not isinstance(error.cause, Lost)
