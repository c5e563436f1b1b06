"""A simulation: several searches with several schedulers on one table, each as often as there are seeds."""

import math
import os
from dataclasses import dataclass
from typing import Any

from tautune.analysis.regret import Method, Regret, Run
from tautune.records.errors import InputError, user_input
from tautune.runners.methods import EARLY, SEARCHES, check_methods
from tautune.runners.shared import check_types
from tautune.runners.simulation.table import Table
from tautune.search_spaces.names import check_name

SIMULATED = ("none", *EARLY)
"""Schedulers that are simulated: a population changes configurations on the way, and no table has such trainings."""
REPLAYED = tuple(search for search in SEARCHES if search != "gradient")
"""Searches that are simulated: no table has the derivatives of its trainings."""
TRAININGS = 32
"""Number of whole trainings of mean length that simulated workers have time for, unless a time budget is given."""
FEW = 8
"""Runs that are not worth starting other processes for, which takes seconds."""


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What to compare, and how.

    Raises:
        InputError: a value is out of its bounds, or search, scheduler and table do not go together.
    """

    searches: tuple[str, ...] = ("random", "hyperopt")
    schedulers: tuple[str, ...] = ("none", "asha")
    workers: int = 4
    """Trials at once."""
    repeats: int = 50
    """Runs of each method: run i has the seed i."""
    time_budget: float | None = None
    """Time at which a run ends; None means that of `TRAININGS` whole trainings."""

    def __post_init__(self) -> None:
        with user_input():
            check_types(self, integers=("workers", "repeats"), numbers=("time_budget",))
            for name in ("workers", "repeats", "time_budget"):
                value = getattr(self, name)
                if value is not None and not 0 < value < math.inf:
                    raise InputError(f"{name} must be above 0, and finite, not {value:g}")
            for search in self.searches:
                check_name("search", search, REPLAYED)
            for scheduler in self.schedulers:
                check_name("scheduler", scheduler, SIMULATED)
        for name in ("searches", "schedulers"):
            if not getattr(self, name):
                raise InputError(f"{name} must hold at least one name")

    @property
    def methods(self) -> list[Method]:
        """Returns every search with every scheduler, each pair once."""
        return list(dict.fromkeys(Method(a, b) for a in self.searches for b in self.schedulers))

    def check(self, table: Table) -> None:
        """Raises InputError if a search cannot search the table."""
        kinds = {name: column.kind for name, column in table.columns.items()}
        for method in self.methods:
            check_methods(method.search, method.scheduler, kinds)

    def until(self, table: Table) -> float:
        """Returns the time at which a run ends."""
        return self.time_budget or TRAININGS * table.mean_time / self.workers


def simulate(table: Table, wanted: Simulation) -> Regret:
    """Returns how each method did. Raises InputError if one cannot search the table."""
    wanted.check(table)
    until = wanted.until(table)
    asked = [(method, seed) for method in wanted.methods for seed in range(wanted.repeats)]
    runs = _side_by_side([(table, method, seed, wanted.workers, until) for method, seed in asked])
    return Regret(
        table=table.name,
        metric=table.goal.metric,
        mode=table.goal.mode,
        unit=table.unit,
        best_value=table.best,
        worst_value=table.worst,
        until=until,
        workers=wanted.workers,
        note=table.note,
        runs=tuple(runs),
    )


def _side_by_side(jobs: list[tuple[Any, ...]]) -> list[Run]:
    """Returns the runs in the order of the jobs; many are shared among processes, one for each core."""
    cores = len(os.sched_getaffinity(0))
    if cores == 1 or len(jobs) <= FEW:
        return [simulated(*job) for job in jobs]
    from joblib import Parallel, delayed

    return list(Parallel(n_jobs=cores, batch_size=4)(delayed(simulated)(*job) for job in jobs))


def simulated(table: Table, method: Method, seed: int, workers: int, until: float) -> Run:
    """Returns one run: the same method and seed give the same one."""
    from tautune.runners.continued import Identities
    from tautune.runners.schedulers import at_full_length, make_scheduler
    from tautune.runners.searches import make_search
    from tautune.runners.simulation.clock import Clock
    from tautune.runners.simulation.nearest import space_of

    space = at_full_length(space_of(table), method.search, method.scheduler)
    search = make_search(method.search, space, table.goal, seed=seed, trials=TRAININGS)
    scheduler = make_scheduler(method.scheduler, {}, table.longest, table.goal, Identities())
    clock = Clock(table, space, search, scheduler, workers)
    clock.run(until, enough=table.best)
    times, values = zip(*clock.better, strict=True) if clock.better else ((), ())
    return Run(method=method, seed=seed, trials=clock.begun, times=times, values=values)
