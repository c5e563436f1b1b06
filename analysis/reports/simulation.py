"""The page of a simulation."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, cast

from tautune.analysis.pages.page import Chart, Page, Section, Table
from tautune.analysis.regret import Method, Regret, RegretJson
from tautune.analysis.reports.parts.commands import simulate_again
from tautune.analysis.reports.sections.provenance import provenance_section, total_duration
from tautune.records.errors import InputError
from tautune.records.files import read_json
from tautune.records.storage import Folder
from tautune.records.typed import Object

Json = dict[str, Any]


def page(folder: Folder, run: Json) -> Page:
    """Returns the report of the simulation in a folder."""
    title = f"Simulated tunings of {PurePath(str(run['configuration'].get('table'))).name}"
    file = folder / "simulate.json"
    try:
        regret = Regret.from_json(cast("Object", read_json(file, RegretJson)), folder)
    except InputError as error:
        note, verdict = f"Left out: {error}", "There is no result."
        return Page(title=title, verdict=verdict, notes=[note], sections=[provenance_section(run)])
    return Page(
        title=title,
        verdict=verdict_of(regret),
        facts=_facts(regret, run),
        notes=[f"Of the table: {regret.note}."] if regret.note else [],
        sections=[_section(regret), _again(run), provenance_section(run)],
    )


def verdict_of(regret: Regret) -> str:
    """Returns which method ends nearest to the best of the table."""
    best = regret.best
    name = Method(best["search"], best["scheduler"]).words
    return (
        f"{name[0].upper()}{name[1:]} ends nearest to the best of the table: its median regret is "
        f"{best['median_regret']:.3g} after {regret.until:.4g} {regret.unit}, and {best['median_regret_halfway']:.3g} "
        "halfway."
    )


def _facts(regret: Regret, run: Json) -> dict[str, str]:
    facts = {f"best {regret.metric.replace('_', ' ')} of the table": f"{regret.best_value:.5g}"}
    facts |= {"methods": str(len(regret.methods)), "runs": str(len(regret.runs)), "workers": str(regret.workers)}
    took = total_duration(run)
    return facts | ({"time": took} if took else {})


def _section(regret: Regret) -> Section:
    columns = ("search", "scheduler", "median regret", "lower quartile", "upper quartile", "halfway", "trials", "runs")
    chart = Chart(
        name="regret",
        title="Regret over simulated time",
        says="How far the best value so far is from the best of the table: the median of all runs of a method, and "
        "their quartiles as a band. A search has a colour, a scheduler a kind of line.",
        figure=regret.plot(),
        table=_over_time(regret),
    )
    rows = [tuple(row.values()) for row in sorted(regret.rows(), key=lambda row: row["median_regret"])]
    return Section(
        title="Which method is sooner near the best", charts=[chart], table=Table(columns=columns, rows=rows)
    )


def _again(run: Json) -> Section:
    return Section(title="The command", commands=[simulate_again(run["configuration"])])


def _over_time(regret: Regret) -> Table:
    every = range(0, len(regret.times), 10)
    medians = [regret.of(method)[1] for method in regret.methods]
    rows = [(float(regret.times[i]), *(float(median[i]) for median in medians)) for i in every]
    return Table(columns=(f"time, {regret.unit}", *(method.words for method in regret.methods)), rows=rows)
