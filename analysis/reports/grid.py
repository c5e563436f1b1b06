"""The page of a delay × learning-rate grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any, TypedDict

import numpy as np

from tautune.analysis.grid_figure import grid_figure, loss_figure, title_of
from tautune.analysis.grids import GridSummary, conclude
from tautune.analysis.pages.page import Chart, Page, Section, Table
from tautune.analysis.reports.charts.compared import best_rates_of
from tautune.analysis.reports.parts.asked import asked_section
from tautune.analysis.reports.parts.commands import grid_again
from tautune.analysis.reports.parts.unfinished import is_unfinished, unfinished_note
from tautune.analysis.reports.sections.again import again_section
from tautune.analysis.reports.sections.provenance import provenance_section, total_duration
from tautune.records.errors import InputError
from tautune.records.files import read_json
from tautune.records.grid_folder import read_points
from tautune.records.storage import Folder
from tautune.trainables.theory.momentum import Momentum

Json = dict[str, Any]


class _Sharpness(TypedDict):
    sharpness: float


def page(folder: Folder, run: Json) -> Page:
    """Returns the report of the grid in a folder, also of one that is still going on."""
    damaged: list[str] = []
    grid = _grid(folder, run, damaged)
    notes = [*([unfinished_note()] if is_unfinished(run) else []), *damaged]
    if grid is None:
        name = run["configuration"].get("study")
        verdict = "No point has been trained yet."
        return Page(title=f"Grid of {name}", verdict=verdict, notes=notes, sections=[provenance_section(run)])
    again = again_section(run, lambda study: grid_again(study, run["configuration"], grid))
    return Page(
        title=title_of(grid),
        verdict=verdict_of(grid),
        facts=_facts(grid, run),
        notes=notes,
        sections=[_section(grid), again, provenance_section(run)],
    )


def verdict_of(grid: GridSummary) -> str:
    """Returns the best learning rate at the longest delay beside the best without, or with the shortest."""
    trained = [row for row in grid.rows if row.best_learning_rate is not None]
    if not trained:
        return "Every training diverged: give smaller learning rates."
    first, last = trained[0], trained[-1]
    best = f"The best η is {first.best_learning_rate:.3g} at τ = {first.delay} and {last.best_learning_rate:.3g} "
    return (
        f"{best}at τ = {last.delay}, where theory's threshold at the initial weights is {last.theory:.3g}."
        if len(trained) > 1
        else f"The best η at τ = {last.delay} is {last.best_learning_rate:.3g}."
    )


def _grid(folder: Folder, run: Json, damaged: list[str]) -> GridSummary | None:
    from tautune.trainables.grid.point import OUTCOMES, POINTS  # imports torch

    rows = read_points(folder / "points.csv", damaged)
    kept = run["configuration"]
    sharpness = run.get("sharpness")
    if sharpness is None and (folder / "grid.json").is_file():
        try:
            sharpness = read_json(folder / "grid.json", _Sharpness)["sharpness"]
        except InputError as error:
            damaged.append(f"Left out: {error}")
    if not rows or sharpness is None:
        return None
    return conclude(
        np.array(list(rows), dtype=POINTS),
        np.array(list(rows.values()), dtype=OUTCOMES),
        study=str(kept.get("study")),
        momentum=Momentum(kept.get("momentum", 0.0), kept.get("shifted", False)),
        sharpness=sharpness,
    ).at(folder)


def _facts(grid: GridSummary, run: Json) -> dict[str, str]:
    best = grid.best
    facts = {"smallest loss": f"{best.best_loss:.4g}", "at delay τ": f"{best.delay}"} if best else {}
    points, diverged = (sum(getattr(row, name) for row in grid.rows) for name in ("points", "diverged"))
    facts |= {"points": f"{points:,}", "diverged": f"{diverged:,}", "sharpness λ": f"{grid.sharpness:.5g}"}
    took = total_duration(run)
    return facts | ({"time": took} if took else {})


def _section(grid: GridSummary) -> Section:
    columns = (
        "delay τ",
        "best η",
        "its loss",
        "its accuracy",
        "largest stable η",
        "diverged",
        "points",
        "theory's threshold",
    )
    table = Table(columns=columns, rows=[astuple(row) for row in grid.rows])
    figure = grid_figure(grid)
    figure.axes[0].set_title("", loc="left")  # which the page has above
    heat = Chart(
        name="grid",
        title="Final loss over delay and learning rate",
        says="Diamonds mark the best η of each delay. The line is theory's threshold at the sharpness of the initial "
        "weights, which training changes. Hatched ones diverged. The largest tenth of the losses has the last colour.",
        figure=figure,
        table=table,
    )
    lines = Chart(
        name="loss",
        title="Final loss over the learning rate, for each delay",
        says="A dotted line of the same colour is theory's threshold. A curve ends where training diverged.",
        figure=loss_figure(grid),
        table=_losses(grid),
    )
    return Section(title="What trains at which delay", charts=[heat, lines], table=table)


def _losses(grid: GridSummary) -> Table:
    """Returns a row for each learning rate and a column for each delay; empty where a seed diverged."""
    loss = np.where(grid.diverged > 0, np.nan, grid.loss)
    rows = [(float(rate), *map(float, loss[:, place])) for place, rate in enumerate(grid.learning_rates)]
    return Table(columns=("η", *(f"τ = {delay}" for delay in grid.delays)), rows=rows)


def compare(runs: Mapping[str, tuple[Folder, Json]]) -> Page:
    """Returns grids beside each other, by what each is called."""
    damaged: list[str] = []
    read = {label: _grid(folder, run, damaged) for label, (folder, run) in runs.items()}
    grids = {label: grid for label, grid in read.items() if grid is not None}
    damaged += [f"{label} has no points yet." for label in runs if label not in grids]
    rows = [
        (
            label,
            row.delay,
            row.best_learning_rate,
            row.best_loss,
            row.best_accuracy,
            row.largest_learning_rate,
            row.theory,
        )
        for label, grid in grids.items()
        for row in grid.rows
    ]
    if not rows:
        raise InputError("compare needs a grid with points; none of these has one yet")
    chart = best_rates_of(grids)
    best = min((row for row in rows if row[3] is not None), key=lambda row: row[3] or 0.0, default=None)
    columns = ("run", "delay τ", "best η", "its loss", "its accuracy", "largest stable η", "theory's threshold")
    return Page(
        title=f"{len(runs)} grids",
        verdict=f"{best[0]} has the smallest loss: {best[3]:.4g} at τ = {best[1]}."
        if best
        else "Every training diverged.",
        notes=damaged,
        sections=[
            Section(
                title="The best at each delay",
                charts=[chart] if chart else [],
                table=Table(columns=columns, rows=rows, sortable=True),
            ),
            asked_section(runs),
        ],
    )
