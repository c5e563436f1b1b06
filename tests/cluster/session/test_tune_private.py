"""Runs that begin in the same second on one cluster."""

from pathlib import Path
from typing import Any

import pytest


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
