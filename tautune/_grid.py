"""`tautune.grid`: trains at every delay × learning rate on Ray, and keeps the results in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tautune.records.errors import user_input
from tautune.records.grid_folder import GridFolder
from tautune.records.run_file import check_output
from tautune.records.storage import Folder, folder_at, typed
from tautune.runners.early_ray import early_ray
from tautune.runners.grid import IN_WORKERS, Grid
from tautune.runners.listeners import STARTING, GridListener
from tautune.runners.shared import as_integers, as_rates
from tautune.runners.sweep import DELAYS
from tautune.trainables.theory.momentum import Momentum

if TYPE_CHECKING:
    from tautune.analysis.grids import GridSummary
    from tautune.search_spaces.stability_study import StabilityStudy

IMPORTS = ("torch", "pandas", "scipy.sparse.linalg")
"""Slowest imports of a grid, which can be loaded while Ray starts."""


def grid(
    study: StabilityStudy | str | Path,
    *,
    delays: Iterable[int] = DELAYS,
    learning_rates: Iterable[float] | int = 16,
    steps: int = 2000,
    mini_batch: int | None = None,
    momentum: float = 0.0,
    shifted: bool = False,
    seeds: int = 1,
    device: str = "auto",
    points_per_trial: int | None = None,
    bfloat16_queue: bool = False,
    output: str | Path | None = None,
    progress: bool = False,
) -> GridSummary:
    """Trains a study from random weights at every delay × learning rate, many points together, in single precision.

    If a run was stopped, the same call continues it and trains only the points that its folder lacks.

    Args:
        study: a `StabilityStudy`, the name of a built-in one, or the path of a Python file that sets STUDY to one.
        delays: τ, in optimizer steps.
        learning_rates: the learning rates, or how many of them to spread logarithmically around theory's thresholds.
        steps: number of optimizer steps of each training.
        mini_batch: examples per step; None means the full batch.
        momentum: m in [0, 1), dampened by 1-m as in the paper.
        shifted: whether the velocity is delayed too (the paper's shifted momentum).
        seeds: number of repetitions, each with its own initial weights and order of the mini-batches.
        device: "cpu", "cuda" or "auto".
        points_per_trial: number of points that train together in a trial; with None, the fastest number is measured.
        bfloat16_queue: whether waiting gradients are stored in bfloat16.
        output: folder for the results, or s3://…, gs://…; None means results/grid-NAME, with the name of
            the study or of its file.
        progress: whether to print progress.

    Returns:
        The conclusions: `.to_frame()`, `.plot()`, `.best`, `.trials` (every point), `.path`.

    Raises:
        InputError: a value, the study or the folder cannot be used, or memory does not hold the points.
        RunFailed: a trial failed.
        Interrupted: the run was stopped; the points trained so far are kept.
    """
    with user_input():
        wanted = Grid(
            study=str(study) if isinstance(study, Path) else study,
            delays=tuple(as_integers(delays)),
            learning_rates=as_rates(learning_rates),
            steps=steps,
            mini_batch=mini_batch,
            momentum=Momentum(momentum, shifted),
            seeds=seeds,
            device=device,
            points_per_trial=points_per_trial,
            bfloat16_queue=bfloat16_queue,
        )
    return carry_out(wanted, folder_at(str(output or f"results/{wanted.folder_name}")), _listener(progress))


def carry_out(grid: Grid, output: Folder, listener: GridListener) -> GridSummary:
    """Checks, plans, runs, concludes and draws. Raises as `tautune.grid` does."""
    known = GridFolder(check_output(output, "grid"), grid.configuration())
    at_once = grid.is_sure and not known.run
    listener.doing(STARTING if at_once else f"reading {grid.name}")
    with listener, early_ray(at_once, meanwhile=IMPORTS, in_workers=IN_WORKERS):
        from tautune.runners.grid_plan import GridPlan

        listener.doing(f"reading {grid.name}")
        plan = GridPlan(grid)
        from tautune.analysis.report import write_grid
        from tautune.analysis.reported import report_at_end
        from tautune.runners.grid_job import check_whole, concluded, run_grid

        with GridFolder(output, plan.configuration) as folder:
            rows = folder.rows()
            if plan.missing(rows):
                run_grid(plan, rows, folder, listener)
            else:
                listener.say(f"everything asked for is in {typed(folder.path)} already")
            if not rows:
                check_whole(plan, rows, folder)
            folder.write(rows)
            summary = concluded(plan, rows).at(folder.path)
            listener.doing(f"drawing {typed(folder.path / 'grid.png')}")
            write_grid(summary, folder.path)
            listener.concluded(summary)
            listener.doing("drawing the report")
            listener.say(report_at_end(folder.path))
            check_whole(plan, rows, folder)
    return summary


def _listener(progress: bool) -> GridListener:
    if not progress:
        return GridListener()
    from tautune.commands.grid_display import GridDisplay
    from tautune.commands.screen import a_screen

    return GridDisplay(a_screen())
