"""The page of trainings that were followed to their edge of stability."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple, replace
from typing import Any

from tautune.analysis.edge_figure import curves_figure, settled_figure
from tautune.analysis.edges import EdgePoint, Edges, conclude
from tautune.analysis.method_names import in_words
from tautune.analysis.pages.page import Chart, Page, Section, Table
from tautune.analysis.reports.charts.compared import settled_of
from tautune.analysis.reports.parts.asked import asked_section
from tautune.analysis.reports.parts.commands import edge_again
from tautune.analysis.reports.parts.unfinished import is_unfinished, unfinished_note
from tautune.analysis.reports.sections.again import again_section
from tautune.analysis.reports.sections.provenance import provenance_section, total_duration
from tautune.analysis.verdicts import where_it_settles
from tautune.records.edge_folder import EdgeFolder
from tautune.records.errors import InputError
from tautune.records.storage import Folder

Json = dict[str, Any]
COLUMNS = (
    *("delay τ", "optimizer", "η", "ηλ / threshold", "lowest seed", "highest seed", "still changing, %"),
    *("seeds", "diverged", "not at their end"),
)


def page(folder: Folder, run: Json) -> Page:
    """Returns the report of the trainings in a folder, also of those that are still going on."""
    damaged: list[str] = []
    edges = _edges(folder, run, damaged)
    notes = [*([unfinished_note()] if is_unfinished(run) else []), *damaged]
    if edges is None:
        title, verdict = f"Edge of {run['configuration'].get('study')}", "Nothing has been seen of a training yet."
        return Page(title=title, verdict=verdict, notes=notes, sections=[provenance_section(run)])
    table = Table(columns=COLUMNS, rows=[_row(point) for point in edges.points])
    on_the_way = Chart(
        name="edge",
        title="ηλ over the delay's threshold, while training sharpens",
        says="A line is a training. Below 1 a minimum of this sharpness is stable, above it is not. The band is 3 % "
        "around it.",
        figure=curves_figure(edges),
    )
    late = Chart(
        name="settled",
        title="What training settles at",
        says="A point is the median over the last quarter of the steps, its bar the range of the seeds.",
        figure=settled_figure(edges),
        table=table,
    )
    again = again_section(run, lambda study: edge_again(study, run["configuration"], edges))
    return Page(
        title=f"{edges.study}: the edge of stability of {in_words(edges.optimizer)}",
        verdict=where_it_settles(edges),
        facts=_facts(edges, run),
        notes=notes,
        sections=[
            Section(title="Where training settles", charts=[on_the_way, late], table=table),
            again,
            provenance_section(run),
        ],
    )


def _edges(folder: Folder, run: Json, damaged: list[str]) -> Edges | None:
    kept, samples = run["configuration"], EdgeFolder(folder, {}).samples(damaged)
    if not samples or "sharpness" not in kept:
        return None
    names = ("study", "optimizer", "steps", "sharpness")
    return conclude(samples, decay=kept.get("decay"), **{name: kept[name] for name in names}).at(folder)


def _row(point: EdgePoint) -> tuple[Any, ...]:
    drift = None if point.drift is None else 100 * point.drift
    return astuple(replace(point, optimizer=in_words(point.optimizer), drift=drift))


def _facts(edges: Edges, run: Json) -> dict[str, str]:
    facts = {"trainings": f"{len(edges.curves):,}", "steps": f"{edges.steps:,}", "optimizer": in_words(edges.optimizer)}
    took = total_duration(run)
    return facts | ({"time": took} if took else {})


def compare(runs: Mapping[str, tuple[Folder, Json]]) -> Page:
    """Returns what trainings settle at in several runs, by what each is called."""
    damaged: list[str] = []
    seen = {label: _edges(folder, run, damaged) for label, (folder, run) in runs.items()}
    found = {label: edges for label, edges in seen.items() if edges is not None}
    if not found:
        raise InputError("compare needs an edge with a training that was seen; none of these has one yet")
    damaged += [f"Nothing was seen of {label}'s trainings yet." for label in runs if label not in found]
    chart = settled_of(found)
    rows = [(label, *_row(point)) for label, edges in found.items() for point in edges.points]
    return Page(
        title=f"{len(runs)} runs at their edge of stability",
        verdict=_farthest(found),
        notes=damaged,
        sections=[
            Section(
                title="Where training settles",
                charts=[chart] if chart else [],
                table=Table(columns=("run", *COLUMNS), rows=rows, sortable=True),
            ),
            asked_section(runs),
        ],
    )


def _farthest(runs: Mapping[str, Edges]) -> str:
    """Returns where training settles farthest from the edge."""
    settled = [(label, p.delay, p.ratio) for label, edges in runs.items() for p in edges.points if p.ratio]
    if not settled:
        return "No training has come to its last quarter without diverging."
    label, delay, ratio = max(settled, key=lambda point: abs(math.log(point[2])))
    return f"{label} settles farthest from the edge: at τ = {delay}, ηλ is {ratio:.3f} times the threshold."
