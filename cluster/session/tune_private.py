"""Everything private in Ray Tune that a session relies on, each with a guard. Checked with Ray 2.60."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tautune.cluster.session import ray_private
from tautune.cluster.session.keys import keys_in_a_file

SHARED = "two runs that begin on a cluster in the same second share the folder for what they stage"
ENDS = "a trial whose process Ray ends for lack of memory may end the run"


@contextmanager
def trials_without_environment() -> Iterator[None]:
    """Keeps Tune from giving trials the driver's AWS keys, which Ray would write into its logs.

    Nor do they get a variable for PyTorch Lightning: either makes Tune start new processes, although some are ready.
    Where Tune's lists have moved, the keys go into a file, which Tune does not look for.
    """
    cache = ray_private.find("ray.tune.execution.class_cache", "DEFAULT_ENV_VARS", "ENV_VARS_TO_PROPAGATE")
    if cache is None:
        ray_private.moved("tune.execution.class_cache's lists", "trials start more slowly")
        with keys_in_a_file():
            yield
        return
    usual = {name: getattr(cache, name) for name in ("DEFAULT_ENV_VARS", "ENV_VARS_TO_PROPAGATE")}
    cache.DEFAULT_ENV_VARS, cache.ENV_VARS_TO_PROPAGATE = {}, set()
    try:
        yield
    finally:
        for name, value in usual.items():
            setattr(cache, name, value)


@contextmanager
def staging_of_its_own() -> Iterator[None]:
    """Gives every run inside a folder of its own for what Tune stages on a host.

    Tune names that folder by the second in which the run began and by the experiment, and copies all of it to the
    results. Our experiments are all called `trials`: two that begin on a cluster in the same second would share it.
    """
    module = ray_private.find("ray.train._internal.storage", "StorageContext")
    if module is None:
        ray_private.moved("train._internal.storage.StorageContext", SHARED)
        yield
        return
    usual = module.StorageContext.__init__

    def begin(self: Any, *arguments: Any, **options: Any) -> None:
        usual(self, *arguments, **options)
        if isinstance(getattr(self, "_timestamp", None), str):
            self._timestamp += f"-{uuid.uuid4().hex[:8]}"
        else:
            ray_private.moved("StorageContext._timestamp", SHARED)

    module.StorageContext.__init__ = begin
    try:
        yield
    finally:
        module.StorageContext.__init__ = usual


@contextmanager
def memory_kills_are_lost_processes() -> Iterator[None]:
    """Lets a run go on, inside, when Ray's memory monitor ends a trial's process in the middle of a step.

    Ray has an error of its own for that, which is no RayActorError: Tune does not expect it, and ends the whole run.
    """
    module = ray_private.find("ray.air.execution._internal.actor_manager", "RayActorManager")
    if module is None or not hasattr(module.RayActorManager, "_actor_task_failed"):
        ray_private.moved("air.execution._internal.actor_manager.RayActorManager._actor_task_failed", ENDS)
        yield
        return
    from ray.exceptions import OutOfMemoryError, RayActorError

    usual = module.RayActorManager._actor_task_failed

    def failed(self: Any, tracked_actor_task: Any, exception: Exception) -> None:
        lost = RayActorError(error_msg=str(exception)) if isinstance(exception, OutOfMemoryError) else exception
        usual(self, tracked_actor_task, lost)

    module.RayActorManager._actor_task_failed = failed
    try:
        yield
    finally:
        module.RayActorManager._actor_task_failed = usual
