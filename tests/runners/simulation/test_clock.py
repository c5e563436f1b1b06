"""Simulated workers: the times by hand, the schedulers' decisions, and a real tuning of Ray beside them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray import tune

from tautune.records.errors import RunFailed
from tautune.runners.continued import Identities
from tautune.runners.drawn import Drawn
from tautune.runners.methods import EARLY
from tautune.runners.schedulers import make_scheduler
from tautune.runners.searches import make_search
from tautune.runners.simulation.clock import Clock
from tautune.runners.simulation.nearest import space_of
from tautune.runners.simulation.ray_stand_ins import SimulatedTrial
from tautune.runners.simulation.table import Table
from tests.runners.simulation.curves import CURVES, Replayed
from tests.runners.simulation.tables import a_table

TOLD = 1e-9


class Watched(Clock):
    """Keeps every report: when, of which configuration, and how many reports it had made then."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.reports: list[tuple[float, tuple[Any, ...], int]] = []
        self.trials: dict[str, SimulatedTrial] = {}

    def _report(self, trial: SimulatedTrial) -> None:
        self.trials[trial.trial_id] = trial
        self.reports.append((self.now, tuple(trial.training.config.values()), trial.reported + 1))
        super()._report(trial)


def in_order() -> Iterator[dict[str, Any]]:
    for rate, width in CURVES:
        yield {"learning_rate": rate, "width": width}


def clock(table: Table, scheduler: str, workers: int, search: Any = None) -> Watched:
    made = make_scheduler(scheduler, {}, table.longest, table.goal, Identities())
    return Watched(table, space_of(table), search or Drawn(in_order()), made, workers)


def test_one_worker_trains_one_after_another(tmp_path: Path) -> None:
    found = clock(a_table(tmp_path), "none", 1)
    found.run(float("inf"))
    ends = [now for now, _, reported in found.reports if reported == 4]
    assert ends == [4, 8, 12, 20, 28, 36]
    assert found.better == [(1, 0.5), (2, 0.6), (3, 0.7), (4, 0.75), (18, 0.8), (20, 0.9)]
    assert found.begun == 6


def test_two_workers_share_the_trainings_as_they_come_free(tmp_path: Path) -> None:
    found = clock(a_table(tmp_path), "none", 2)
    found.run(float("inf"))
    ends = {config: now for now, config, reported in found.reports if reported == 4}
    assert ends == {(0.1, 8): 4, (0.2, 8): 4, (0.4, 8): 8, (0.1, 16): 12, (0.2, 16): 16, (0.4, 16): 20}


def test_a_run_ends_at_its_time(tmp_path: Path) -> None:
    found = clock(a_table(tmp_path), "none", 1)
    found.run(9.5)
    assert max(now for now, _, _ in found.reports) == 9


def test_a_run_ends_when_nothing_better_is_left(tmp_path: Path) -> None:
    found = clock(a_table(tmp_path), "none", 1)
    found.run(float("inf"), enough=0.9)
    assert found.reports[-1] == (20, (0.1, 16), 4)


def test_asha_stops_what_is_in_the_worse_two_thirds_of_a_rung(tmp_path: Path) -> None:
    """There are rungs at the epochs 1 and 3: who is below the 2/3 quantile of those before it there trains no more."""
    found = clock(a_table(tmp_path), "asha", 1)
    found.run(float("inf"))
    lengths = {config: reported for _, config, reported in found.reports}
    # epoch 1: 0.5 goes on; 0.3 < 0.5; 0.1 < 0.43; 0.2 < 0.37; 0.4 ≥ 0.3 and 0.6 ≥ 0.37 go on
    # epoch 3: 0.7 goes on; 0.4 < 0.7; 0.2 < 0.6
    assert lengths == {(0.1, 8): 4, (0.2, 8): 1, (0.4, 8): 1, (0.1, 16): 1, (0.2, 16): 3, (0.4, 16): 3}


@pytest.mark.parametrize("scheduler", ["none", *EARLY])
@pytest.mark.parametrize("workers", [1, 3])
def test_no_work_is_lost_or_done_twice(scheduler: str, workers: int, tmp_path: Path) -> None:
    table = a_table(tmp_path)
    search = make_search("random", space_of(table), table.goal, seed=1)
    found = clock(table, scheduler, workers, search)
    found.run(60)
    assert [now for now, _, _ in found.reports] == sorted(now for now, _, _ in found.reports)
    trained = sum(trial.training.curve[trial.reported - 1].time for trial in found.trials.values())
    assert trained <= workers * 60 + TOLD
    if workers == 1:  # which was busy all the time
        assert trained == pytest.approx(found.reports[-1][0])
    assert len(found.reports) == sum(trial.reported for trial in found.trials.values())


def test_what_a_later_ray_asks_for_besides_is_told_in_one_line(tmp_path: Path) -> None:
    trial = SimulatedTrial("1", a_table(tmp_path).trainings[0])
    with pytest.raises(RunFailed, match="asks for 'placement_group_factory', which is not simulated; use none or asha"):
        _ = trial.placement_group_factory


@pytest.mark.process
def test_ray_itself_trains_what_is_simulated(local_ray: None, tmp_path: Path) -> None:
    """The same search and scheduler, once in Ray with one trial at a time and once on the simulated clock."""
    import ray

    table = a_table(tmp_path)
    space = space_of(table)

    def parts() -> tuple[Any, Any]:
        search = make_search("hyperopt", space, table.goal, seed=3, trials=6)
        return search, make_scheduler("asha", {}, table.longest, table.goal, Identities())

    search, scheduler = parts()
    trainable = tune.with_resources(Replayed, {"CPU": ray.cluster_resources()["CPU"]})
    config = tune.TuneConfig(search_alg=search, scheduler=scheduler, num_samples=9, reuse_actors=True)
    results = tune.Tuner(
        trainable, tune_config=config, run_config=tune.RunConfig(storage_path=str(tmp_path / "ray"), verbose=0)
    ).fit()
    assert not results.errors, results.errors
    trained = [(r.config["learning_rate"], r.config["width"], r.metrics["epochs"]) for r in results]
    search, scheduler = parts()
    found = Watched(table, space, search, scheduler, 1)
    found.run(1000)
    simulated = [(*trial.training.config.values(), trial.reported) for trial in found.trials.values()]
    assert simulated[:9] == trained
