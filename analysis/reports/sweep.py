"""The page of a sweep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from tautune.analysis.pages.page import Page, Section, Table
from tautune.analysis.reports.charts import thresholds as charts
from tautune.analysis.reports.charts.compared import thresholds_of as charts_of_several
from tautune.analysis.reports.charts.lateness import lateness
from tautune.analysis.reports.parts.asked import asked_section
from tautune.analysis.reports.parts.commands import sweep_again
from tautune.analysis.reports.parts.unfinished import is_unfinished, unfinished_note
from tautune.analysis.reports.sections.again import again_section
from tautune.analysis.reports.sections.provenance import provenance_section, total_duration
from tautune.analysis.sweep_conclusion import conclude
from tautune.analysis.threshold_figure import title_of
from tautune.analysis.thresholds import Thresholds, ThresholdsJson
from tautune.analysis.verdicts import keep_below, theorys_worth
from tautune.records.errors import InputError
from tautune.records.files import read_json
from tautune.records.storage import Folder, reading
from tautune.records.sweep_folder import MEASUREMENTS, read_record
from tautune.records.typed import Object
from tautune.trainables.theory.momentum import Momentum
from tautune.trainables.threshold.record import MeasurementRecord
from tautune.trainables.threshold.update import Update

Json = dict[str, Any]


def page(folder: Folder, run: Json) -> Page:
    """Returns the report of the sweep in a folder, also of one that is still going on."""
    damaged: list[str] = []
    records = list(_records(folder, damaged))
    found = _thresholds(folder, run, records, damaged)
    notes = [*_notes(run, found), *damaged]
    again = again_section(run, lambda study: sweep_again(study, run))
    sections = [*(_sections(found, records) if found else ()), again, provenance_section(run)]
    if found is None or not found.points:
        name = run["configuration"].get("study")
        verdict = "No threshold has been found yet."
        return Page(title=f"Stability of {name}", verdict=verdict, notes=notes, sections=sections)
    return Page(
        title=title_of(found), verdict=keep_below(found), facts=_facts(found, run), notes=notes, sections=sections
    )


def _facts(found: Thresholds, run: Json) -> dict[str, str]:
    points = _few(found.points)
    facts = {f"η at τ = {p.delay}" if len(points) > 1 else "largest stable η": f"{p.measured:.4g}" for p in points}
    facts["sharpness λ"] = f"{found.sharpness:.5g}"
    facts["gradients"] = f"{sum(point.gradient_evaluations for point in found.points):,}"
    took = total_duration(run)
    return facts | ({"time": took} if took else {})


def _few(points: tuple[Any, ...]) -> list[Any]:
    """Returns the first, a middle and the last point."""
    return list(dict.fromkeys((points[0], points[len(points) // 2], points[-1])))


def _records(folder: Folder, damaged: list[str]) -> Iterator[MeasurementRecord]:
    with reading(folder):
        files: list[Folder] = sorted((folder / MEASUREMENTS).glob("delay=*_seed=*.json"), key=str)
    found = []
    for file in files:
        try:
            found.append(read_record(file))
        except InputError as error:
            damaged.append(f"Left out: {error}")
    yield from sorted(found, key=lambda record: record.key)


def _thresholds(folder: Folder, run: Json, records: list[MeasurementRecord], damaged: list[str]) -> Thresholds | None:
    """Returns what thresholds.json holds; before the run's end, what the measurements tell until then."""
    file = folder / "thresholds.json"
    if file.is_file():
        try:
            return Thresholds.from_json(cast("Object", read_json(file, ThresholdsJson)), folder)
        except (InputError, TypeError, ValueError) as error:
            damaged.append(f"Left out: {error}")
    minimum, kept = run.get("minimum") or {}, run["configuration"]
    if not records or "sharpness" not in minimum:
        return None
    return conclude(
        records,
        study=str(kept.get("study")),
        sharpness=minimum["sharpness"],
        momentum=Momentum(kept.get("momentum", 0.0), kept.get("shifted", False)),
        mini_batch=kept.get("mini_batch"),
        examples=minimum.get("examples") or kept.get("mini_batch") or 1,
        update=Update.from_json(kept["update"]) if kept.get("update") else None,
    )


def _notes(run: Json, found: Thresholds | None) -> Iterator[str]:
    wanted = run.get("delays") or []
    known = {point.delay for point in found.points} if found else set()
    left = [str(delay) for delay in wanted if delay not in known]
    if is_unfinished(run):
        yield unfinished_note()
    if left and not run["configuration"].get("update"):
        yield f"No threshold has been found at τ = {', '.join(left)}."


def _sections(found: Thresholds, records: list[MeasurementRecord]) -> Iterator[Section]:
    if not found.points:
        return
    if len(found.points) > 1:
        yield Section(title="Thresholds", charts=[charts.rates(found), charts.inverse(found), charts.error(found)])
    else:  # of one point there is no curve
        yield Section(title="The threshold", table=charts.points_table(found))
    if escapes := charts.escapes(found):
        yield Section(title="Leaving the minimum", charts=escapes)
    how = (charts.brackets(records), lateness(found), charts.cost(found) if len(found.points) > 1 else None)
    drawn = [chart for chart in how if chart is not None]
    yield Section(title="How it was measured", charts=drawn, table=_hosts(found, records))


def _hosts(found: Thresholds, records: list[MeasurementRecord]) -> Table | None:
    rows = [
        (
            r.settings.delay if found.delay_is_fixed else found.called(r.settings.delay),
            *(r.settings.seed, len(r.samples), len(r.departures), r.gradient_evaluations, r.done, r.host),
        )
        for r in records
    ]
    columns = ("delay τ", "seed", "learning rates tried", "departures", "gradients", "done", "host")
    return Table(columns=columns, rows=rows) if rows else None


def compare(runs: Mapping[str, tuple[Folder, Json]]) -> Page:
    """Returns sweeps beside each other, by what each is called."""
    damaged: list[str] = []
    sweeps: dict[str, Thresholds] = {}
    for label, (folder, run) in runs.items():
        found = _thresholds(folder, run, list(_records(folder, damaged)), damaged)
        if found and found.points:
            sweeps[label] = found
        else:
            damaged.append(f"{label} has no thresholds yet.")
    if not sweeps:
        raise InputError("compare needs a sweep with thresholds; none of these has one yet")
    rows = [
        (
            label,
            title_of(found),
            found.sharpness,
            max(p.delay for p in found.points) if found.delay_is_fixed else None,  # the words tell delays that vary
            *_errors(found),
            len(found.points),
        )
        for label, found in sweeps.items()
    ]
    columns = ("run", "what", "sharpness λ", "longest delay", "theory is off, %", "± at most, %", "thresholds")
    charts_of_all = [charts_of_several(sweeps, times_sharpness=one) for one in (False, True)]
    return Page(
        title=f"{len(runs)} sweeps",
        verdict=_worth_of(sweeps),
        notes=damaged,
        sections=[
            Section(title="Thresholds", charts=charts_of_all, table=Table(columns=columns, rows=rows)),
            asked_section(runs),
        ],
    )


def _errors(found: Thresholds) -> tuple[float, float]:
    """Returns in percent how far theory is from the best estimates, and how well they are known, at most."""
    apart, known = zip(*((abs(p.relative_error), p.uncertainty / p.predicted) for p in found.points), strict=True)
    return 100 * max(apart), 100 * max(known)


def _worth_of(sweeps: Mapping[str, Thresholds]) -> str:
    """Returns where theory is worth least."""
    worst = max(sweeps, key=lambda label: _errors(sweeps[label])[0])
    return f"Theory is farthest from {worst}, where {theorys_worth(sweeps[worst]).replace('theory', 'it', 1)}."
