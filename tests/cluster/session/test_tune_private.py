"""What Ray Tune has in its own way, and a session in another."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.air.execution._internal.tracked_actor import TrackedActor
from ray.air.execution._internal.tracked_actor_task import TrackedActorTask
from ray.exceptions import OutOfMemoryError, RayActorError

from tautune.cluster.session.tune_private import memory_kills_are_lost_processes


@pytest.mark.usefixtures("local_ray")
def test_two_runs_of_the_same_second_share_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trials of one were once found in the results of the other: Tune copies all that is staged."""
    from ray import tune
    from ray.tune.experiment import Experiment

    monkeypatch.setattr("ray.tune.utils.date_str", lambda: "2026-11-28_17-06-09")

    def staged(name: str) -> set[str]:
        experiment: Any = Experiment("trials", tune.Trainable, storage_path=str(tmp_path / name))
        storage = experiment.storage
        storage.trial_dir_name = "01"
        return {storage.experiment_driver_staging_path, storage.trial_working_directory}

    assert not staged("a") & staged("b")


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
