"""`tautune.edge`: follows trainings with late gradients to their edge of stability, on Ray."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tautune.records.edge_folder import EdgeFolder
from tautune.records.errors import user_input
from tautune.records.run_file import check_output
from tautune.records.storage import Folder, folder_at, typed
from tautune.runners.early_ray import early_ray
from tautune.runners.edge import EDGE_DELAYS, IN_WORKERS, Edge
from tautune.runners.listeners import STARTING, EdgeListener
from tautune.runners.shared import as_integers, as_rates

if TYPE_CHECKING:
    from tautune.analysis.edges import Edges
    from tautune.search_spaces.stability_study import StabilityStudy

IMPORTS = ("torch", "scipy.sparse.linalg", "matplotlib.figure")
"""Slowest imports, which can be loaded while Ray starts."""


def edge(
    study: StabilityStudy | str | Path = "digits_squared",
    *,
    optimizer: str = "sgd",
    delays: Iterable[int] = EDGE_DELAYS,
    learning_rates: Iterable[float] = (),
    steps: int = 4000,
    seeds: int = 3,
    decay: float = 0.999,
    device: str = "auto",
    output: str | Path | None = None,
    progress: bool = False,
) -> Edges:
    """Trains a study from random weights at every delay, and follows η λ over the delay's threshold of stability.

    Trainings are on the full batch, in single precision and in eval mode, those of one delay stacked. The sharpness λ,
    preconditioned for optimizers that divide by an average of squares, is looked at a hundred times, by a Lanczos
    search that begins where the last one ended. If a run was stopped, the same call continues it.

    Args:
        study: a `StabilityStudy`, the name of a built-in one, or the path of a Python file that sets STUDY to one.
        optimizer: sgd, momentum (torch's, 0.9), adam, rmsprop or nadam.
        delays: τ, in optimizer steps.
        learning_rates: those to train with at every delay. Without any, each delay has one at which the edge lies at
            1.5 times the sharpness of the start; adam, rmsprop and nadam have 0.002.
        steps: optimizer steps of each training.
        seeds: trainings at each delay and learning rate, each with its own initial weights.
        decay: β₂ of adam and nadam, and rmsprop's α.
        device: cpu, cuda or auto.
        output: folder for the results, or s3://…, gs://…; None means results/edge-STUDY-OPTIMIZER.
        progress: whether to print progress.

    Returns:
        The conclusions: `.points`, `.curves`, `.to_frame()`, `.plot()`, `.path`.

    Raises:
        InputError: a value, the study or the folder cannot be used.
        RunFailed: a trial failed.
        Interrupted: the run was stopped; the trainings that ended are kept.
    """
    with user_input():
        rates = as_rates(learning_rates)
        wanted = Edge(
            study=str(study) if isinstance(study, Path) else study,
            optimizer=optimizer,
            delays=tuple(as_integers(delays)),
            learning_rates=() if isinstance(rates, int) else rates,
            steps=steps,
            seeds=seeds,
            decay=decay,
            device=device,
        )
    return carry_out(wanted, folder_at(str(output or f"results/{wanted.folder_name}")), _listener(progress))


def carry_out(wanted: Edge, output: Folder, listener: EdgeListener) -> Edges:
    """Checks, plans, runs, concludes and draws. Raises as `tautune.edge` does."""
    known = EdgeFolder(check_output(output, "edge"), wanted.configuration())
    at_once = wanted.is_sure and not known.run
    listener.doing(STARTING if at_once else f"reading {wanted.name}")
    with listener, early_ray(at_once, meanwhile=IMPORTS, in_workers=IN_WORKERS):
        from tautune.runners.edge_plan import EdgePlan

        listener.doing(f"reading {wanted.name}")
        plan = EdgePlan(wanted)
        from tautune.analysis.report import write_edge
        from tautune.analysis.reported import report_at_end
        from tautune.runners.edge_job import check_whole, concluded, run_edge

        with EdgeFolder(output, plan.configuration) as folder:
            samples = folder.samples()
            if plan.missing(samples):
                run_edge(plan, samples, folder, listener)
            else:
                listener.say(f"everything asked for is in {typed(folder.path)} already")
            if not samples:
                check_whole(plan, samples, folder)
            edges = concluded(plan, samples).at(folder.path)
            listener.doing(f"drawing {typed(folder.path / 'edge.png')}")
            write_edge(edges, folder.path)
            listener.concluded(edges)
            listener.doing("drawing the report")
            listener.say(report_at_end(folder.path))
            check_whole(plan, samples, folder)
    return edges


def _listener(progress: bool) -> EdgeListener:
    if not progress:
        return EdgeListener()
    from tautune.commands.edge_display import EdgeDisplay
    from tautune.commands.screen import a_screen

    return EdgeDisplay(a_screen())
