"""What Ray Tune does not expect of Ray reaches it as what it expects."""

from types import SimpleNamespace
from typing import Any

from ray.air.execution._internal.actor_manager import RayActorManager
from ray.air.execution._internal.tracked_actor import TrackedActor
from ray.air.execution._internal.tracked_actor_task import TrackedActorTask
from ray.exceptions import OutOfMemoryError, RayActorError

from tautune.cluster.session.tune_private import memory_kills_are_lost_processes


def test_a_process_that_the_memory_monitor_ends_is_lost_and_the_run_goes_on() -> None:
    told: list[Any] = []
    manager: Any = RayActorManager(SimpleNamespace(free_resources=lambda acquired_resource: None))
    actor = TrackedActor(1, on_error=lambda _, error: told.append(error))
    manager._live_actors_to_ray_actors_resources[actor] = None, None
    usual = RayActorManager._actor_task_failed
    with memory_kills_are_lost_processes():
        manager._actor_task_failed(TrackedActorTask(actor), OutOfMemoryError("1 worker(s) were killed"))
    [error] = told
    assert isinstance(error, RayActorError)
    assert str(error) == "1 worker(s) were killed"
    assert manager.is_actor_failed(actor)
    assert RayActorManager._actor_task_failed is usual
