"""`tautune.sweep`: the stability threshold at every delay, measured on Ray and kept in a folder."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tautune.records.run_file import check_output
from tautune.records.storage import Folder, folder_at
from tautune.records.sweep_folder import SweepFolder
from tautune.runners.early_ray import early_ray
from tautune.runners.listeners import SweepListener
from tautune.runners.sweep import DELAYS, Sweep, is_complete
from tautune.trainables.theory.momentum import Momentum

if TYPE_CHECKING:
    from tautune.analysis.thresholds import Thresholds
    from tautune.search_spaces.stability_study import StabilityStudy

IMPORTS = ("torch", "pandas", "scipy.optimize", "scipy.sparse.linalg")
"""Modules that a sweep takes longest to import."""
IN_WORKERS = ("tautune.trainables.threshold.trial",)


def sweep(
    study: StabilityStudy | str | Path,
    *,
    delays: Iterable[int] = DELAYS,
    momentum: float = 0.0,
    shifted: bool = False,
    resolution: float = 0.005,
    mini_batch: int | None = None,
    seeds: int | None = None,
    device: str = "auto",
    first_guess: float | None = 1.0,
    departures: bool = True,
    tolerance: float = 1e-6,
    budget: int = 20_000,
    output: str | Path | None = None,
    progress: bool = False,
) -> Thresholds:
    """Measures the largest stable learning rate of a study at every delay, on Ray, beside theory's.

    The study is trained to its minimum without delay; from there each delay is a trial of its own. The same call goes
    on where it was stopped, and measures only what is missing in its folder.

    Args:
        study: a `StabilityStudy`, the name of one of ours, or the path of a Python file that sets STUDY to one.
        delays: τ, in optimizer steps.
        momentum: m in [0, 1), dampened by 1-m as in the paper.
        shifted: whether the velocity is delayed too (the paper's shifted momentum).
        resolution: relative width of the bracket in which each threshold is caught.
        mini_batch: examples a step; the full batch if None.
        seeds: orders of the mini-batches to repeat with, for an uncertainty; 3 if None.
        device: "cpu", "cuda" or "auto".
        first_guess: where each search begins, as a multiple of theory's threshold; None begins at 0.01.
        departures: whether to watch as well how soon training leaves the minimum above the threshold.
        tolerance: gradient norm at the minimum, relative to its value where training began.
        budget: gradient evaluations in which the minimum has to be reached.
        output: folder of the results, or s3://…, gs://…; results/STUDY if None.
        progress: whether to print what happens.

    Returns:
        The thresholds: `.to_frame()`, `.plot()`, `.best`, `.trials`, `.path`, `.sharpness`.

    Raises:
        InputError: a value, the study or the folder cannot be used. It is a ValueError.
        RunFailed: no minimum or no threshold was found, or a trial failed.
        Interrupted: the run was stopped; what was measured is kept.
    """
    wanted = Sweep(
        study=str(study) if isinstance(study, Path) else study,
        delays=tuple(delays),
        momentum=Momentum(momentum, shifted),
        resolution=resolution,
        mini_batch=mini_batch,
        seeds=seeds,
        device=device,
        first_guess=first_guess,
        departures=departures,
        tolerance=tolerance,
        budget=budget,
    )
    return carry_out(wanted, folder_at(str(output or f"results/{wanted.folder_name}")), _listener(progress))


def carry_out(sweep: Sweep, output: Folder, listener: SweepListener) -> Thresholds:
    """Checks, plans, runs, concludes and draws. Raises as `tautune.sweep` does."""
    known = SweepFolder(check_output(output, "sweep"), sweep.configuration())
    whole = all(is_complete(known.record(*key), departures=sweep.departures) for key in sweep.keys)
    with early_ray(sweep.is_sure and not whole, meanwhile=IMPORTS, in_workers=IN_WORKERS):
        from tautune.analysis.report import write_thresholds
        from tautune.runners.sweep_job import check_whole, concluded, run_sweep
        from tautune.runners.sweep_plan import SweepPlan

        plan = SweepPlan(sweep)
        with SweepFolder(output, plan.configuration) as folder, listener:
            if plan.is_whole(folder):
                listener.say(f"everything asked for is in {folder.path} already")
            else:
                run_sweep(plan, folder, listener)
            thresholds = concluded(plan, folder.records().values()).at(folder.path)
            write_thresholds(thresholds, folder.path)
            listener.concluded(thresholds, folder.records())
            check_whole(plan, folder)
    return thresholds


def _listener(progress: bool) -> SweepListener:
    if not progress:
        return SweepListener()
    from rich.console import Console

    from tautune.commands.sweep_display import SweepDisplay

    return SweepDisplay(Console(), time.monotonic())
