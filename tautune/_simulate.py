"""`tautune.simulate`: compares searches and schedulers on trainings that were done, in seconds and without Ray."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tautune.records.errors import InputError
from tautune.records.provenance import now, provenance
from tautune.records.replaced_folder import SimulationFolder
from tautune.records.run_file import RUN_FILE, check_output
from tautune.records.storage import Folder, folder_at
from tautune.runners.simulation.csv_table import read_csv, read_frame
from tautune.runners.simulation.run_table import read_run_table
from tautune.runners.simulation.simulation import Simulation
from tautune.trainables.goal import Mode

if TYPE_CHECKING:
    from pandas import DataFrame

    from tautune.analysis.regret import Regret
    from tautune.runners.simulation.table import Table


def simulate(
    table: DataFrame | str | Path,
    *,
    searches: Sequence[str] = ("random", "hyperopt"),
    schedulers: Sequence[str] = ("none", "asha"),
    metric: str | None = None,
    mode: Mode | None = None,
    workers: int = 4,
    repeats: int = 50,
    time_budget: float | None = None,
    output: str | Path | None = None,
) -> Regret:
    """Compares every search with every scheduler on a table of trainings, by their regret over simulated time.

    Ray Tune's own searches and schedulers decide what is trained; the table says what comes out and how long it takes.

    Args:
        table: the folder of a finished tuning; or a CSV file or a DataFrame with a row for each configuration, or for
            each epoch of each: columns of hyperparameters (where some begin with config/, only those), the metric, and,
            if there are such, `epoch` and `seconds`, both counted from the training's beginning.
        searches: of `tautune.tune`.
        schedulers: none, asha, hyperband and median.
        metric: the column to compare by; a folder has its own, and a column validation_accuracy is found.
        mode: whether "max" or "min" of the metric is best.
        workers: number of simulated trials at once.
        repeats: number of runs of each method, each with its own seed.
        time_budget: simulated time at which a run ends, in seconds, or in epochs where the table has no seconds; None
            means that of 32 whole trainings of mean length.
        output: folder for simulate.json, simulate.csv and simulate.png; None means that nothing is written.

    Returns:
        The comparison: `.to_frame()`, `.plot()`, `.rows()`.

    Raises:
        InputError: the table or a value cannot be used. It is a ValueError.
    """
    wanted = Simulation(
        searches=_names("searches", searches),
        schedulers=_names("schedulers", schedulers),
        workers=workers,
        repeats=repeats,
        time_budget=time_budget,
    )
    return carry_out(read(table, metric, mode), wanted, None if output is None else folder_at(str(output)))


def read(table: DataFrame | str | Path, metric: str | None, mode: Mode | None) -> Table:
    """Returns the table. Raises InputError if there is none."""
    if mode not in ("max", "min", None):
        raise InputError(f"mode must be max or min, not {mode!r}")
    if not isinstance(table, str | Path):
        if not hasattr(table, "to_dict"):
            raise InputError(f"table must be a folder, a CSV file or a DataFrame, not {type(table).__name__}")
        return read_frame(table, metric, mode)
    place = folder_at(str(table))
    if place.name == "trials.csv" and (place.parent / RUN_FILE).exists():
        place = place.parent
    if place.is_dir():
        return read_run_table(place, metric)
    if not place.is_file():
        raise InputError(f"there is no table {place}; give a CSV file, or a folder that `tautune tune` wrote")
    return read_csv(place, metric, mode)


def carry_out(table: Table, wanted: Simulation, output: Folder | None) -> Regret:
    """Checks, simulates, concludes and draws. Raises as `simulate` does."""
    wanted.check(table)
    if output is None:
        return _simulated(table, wanted)
    configuration: dict[str, Any] = {
        "kind": "simulation",
        "table": table.name,
        "metric": table.goal.metric,
        "mode": table.goal.mode,
        "searches": list(wanted.searches),
        "schedulers": list(wanted.schedulers),
        "workers": wanted.workers,
        "repeats": wanted.repeats,
        "time_budget": wanted.until(table),
    }
    with SimulationFolder(check_output(output, "simulation"), configuration) as folder:
        from tautune.analysis.report import write_regret
        from tautune.analysis.reported import write_report

        started, begun = now(), time.monotonic()
        regret = _simulated(table, wanted).at(folder.path)
        seconds = round(time.monotonic() - begun, 1)
        folder.keep_run(runs=[{"started": started, "duration_seconds": seconds, "finished": now(), **provenance()}])
        write_regret(regret, folder.path)
        write_report(folder.path)
    return regret


def _simulated(table: Table, wanted: Simulation) -> Regret:
    from tautune.runners.simulation.simulation import simulate

    return simulate(table, wanted)


def _names(name: str, given: Sequence[str]) -> tuple[str, ...]:
    if isinstance(given, str):
        raise InputError(f'{name} must be a list of names, such as ["{given}"], not {given!r}')
    return tuple(given)
