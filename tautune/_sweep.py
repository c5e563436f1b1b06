"""`tautune.sweep`: measures the stability threshold at every delay on Ray, and keeps the results in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tautune.records.delay_trace import LateDelays, late_delays
from tautune.records.errors import user_input
from tautune.records.run_file import check_output
from tautune.records.storage import Folder, folder_at, typed
from tautune.records.sweep_folder import SweepFolder
from tautune.runners.early_ray import early_ray
from tautune.runners.listeners import STARTING, SweepListener
from tautune.runners.shared import as_integers
from tautune.runners.sweep import IN_WORKERS, Sweep, fixed_delays, is_complete
from tautune.trainables.threshold.update import Update, asked

if TYPE_CHECKING:
    from tautune.analysis.thresholds import Thresholds
    from tautune.search_spaces.stability_study import StabilityStudy
    from tautune.trainables.asynchronous.settings import Workers

IMPORTS = ("torch", "pandas", "scipy.optimize", "scipy.sparse.linalg")
"""Slowest imports of a sweep, which can be loaded while Ray starts."""


def sweep(
    study: StabilityStudy | str | Path,
    *,
    delays: Iterable[int] | None = None,
    momentum: float | None = None,
    shifted: bool = False,
    optimizer: str | None = None,
    remedy: str | None = None,
    delays_from: LateDelays | None = None,
    stages: Sequence[int] = (),
    workers: Workers | None = None,
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
    """Measures the largest stable learning rate of a study at every delay on Ray, and compares it with theory.

    The study is trained to its minimum without delay; from there, each delay is measured in its own trial. If a run was
    stopped, the same call continues it and measures only what its folder lacks.

    Args:
        study: a `StabilityStudy`, the name of a built-in one, or the path of a Python file that sets STUDY to one.
        delays: τ, in optimizer steps; None means 0, 1, 2, 4, 8, 16 and 32.
        momentum: m in [0, 1), dampened by 1-m as in the paper; as the optimizer takes it, where one is named.
        shifted: whether the velocity is delayed too (the paper's shifted momentum).
        optimizer: sgd, dampened-momentum, nesterov, shifted-momentum or spike-compensation; or adam, adamw, nadam or
            rmsprop, with their preconditioner held; None is the paper's SGD.
        remedy: predict:T, weight prediction of T steps, or predict, of the delay.
        delays_from: delays that are drawn anew at each step, in place of `delays`: those of a recorded run, as a
            sequence or as the path of a CSV file with a column `age` or `delay`, a mapping {d: probability} or a
            `RandomDelay`.
        stages: delay of each stage of a pipeline, in place of `delays`, from the model's first children to its last.
        workers: real ones, in place of `delays`: their gradients are as late as they are, and theory has the ages that
            were recorded.
        resolution: relative width of each threshold's bracket.
        mini_batch: examples per step; None means the full batch.
        seeds: number of measurements at each delay, each with its own order of the mini-batches and its own
            delays, which gives an uncertainty; None means 3. It needs `mini_batch` or `delays_from`.
        device: "cpu", "cuda" or "auto".
        first_guess: learning rate at which each search begins, as a multiple of theory's threshold; with None, the
            learning rate 0.01.
        departures: whether to measure also how soon training leaves the minimum above the threshold.
        tolerance: largest gradient norm, relative to its value where training began, that counts as a minimum;
            from 1e-12 to 0.1.
        budget: largest number of gradient evaluations for reaching the minimum.
        output: folder for the results, or s3://…, gs://…; None means results/NAME, with the name of the
            study or of its file.
        progress: whether to print progress.

    Returns:
        The thresholds: `.to_frame()`, `.plot()`, `.best`, `.trials`, `.path`, `.sharpness`.

    Raises:
        InputError: a value, the study or the folder cannot be used. It is a ValueError.
        RunFailed: no minimum or no threshold was found, or a trial failed.
        Interrupted: the run was stopped; the measurements so far are kept.
    """
    with user_input():
        late = late_delays(delays_from), as_integers(stages), workers
        kind, update = asked(optimizer, momentum, shifted, remedy, *late)
        wanted = Sweep(
            study=str(study) if isinstance(study, Path) else study,
            delays=tuple(as_integers(fixed_delays(delays, instead=_has_own(update)))),
            momentum=kind,
            update=update,
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


def _has_own(update: Update | None) -> bool:
    """Returns whether an update has delays of its own."""
    return update is not None and update.longest is not None


def carry_out(sweep: Sweep, output: Folder, listener: SweepListener) -> Thresholds:
    """Checks, plans, runs, concludes and draws. Raises as `tautune.sweep` does."""
    known = SweepFolder(check_output(output, "sweep"), sweep.configuration())
    whole = all(is_complete(known.record(*key), departures=sweep.departures) for key in sweep.keys)
    at_once = sweep.is_sure and not whole
    listener.doing(STARTING if at_once else f"reading {sweep.name}")
    with listener, early_ray(at_once, meanwhile=IMPORTS, in_workers=IN_WORKERS):
        from tautune.runners.sweep_plan import SweepPlan

        listener.doing(f"reading {sweep.name}")
        plan = SweepPlan(sweep)
        from tautune.analysis.report import write_thresholds
        from tautune.analysis.reported import report_at_end
        from tautune.runners.sweep_job import check_whole, concluded, run_sweep

        with SweepFolder(output, plan.configuration) as folder:
            if plan.is_whole(folder):
                listener.say(f"everything asked for is in {typed(folder.path)} already")
            else:
                run_sweep(plan, folder, listener)
            thresholds = concluded(plan, folder.records().values()).at(folder.path)
            listener.doing(f"drawing {typed(folder.path / 'thresholds.png')}")
            write_thresholds(thresholds, folder.path)
            listener.concluded(thresholds, folder.records())
            listener.doing("drawing the report")
            listener.say(report_at_end(folder.path))
            check_whole(plan, folder)
    return thresholds


def _listener(progress: bool) -> SweepListener:
    if not progress:
        return SweepListener()
    from tautune.commands.screen import a_screen
    from tautune.commands.sweep_display import SweepDisplay

    return SweepDisplay(a_screen())
