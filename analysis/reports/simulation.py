"""The page of a simulation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, cast

import numpy as np

from tautune.analysis.method_names import listed
from tautune.analysis.pages.page import Chart, Page, Section, Table
from tautune.analysis.regret import TIE, Regret, RegretJson
from tautune.analysis.reports.charts.compared import regrets_of
from tautune.analysis.reports.parts.asked import asked_section
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
    damaged: list[str] = []
    regret = _regret(folder, damaged)
    if regret is None:
        return Page(title=title, verdict="There is no result.", notes=damaged, sections=[provenance_section(run)])
    return Page(
        title=title,
        verdict=verdict_of(regret),
        facts=_facts(regret, run),
        notes=[f"Of the table: {regret.note}."] if regret.note else [],
        sections=[_section(regret), _again(run), provenance_section(run)],
    )


def _regret(folder: Folder, damaged: list[str]) -> Regret | None:
    try:
        return Regret.from_json(cast("Object", read_json(folder / "simulate.json", RegretJson)), folder)
    except InputError as error:
        damaged.append(f"Left out: {error}")
        return None


def verdict_of(regret: Regret) -> str:
    """Returns which method ends nearest to the best of the table, or which methods do, and which others may."""
    names, best = _nearest(regret), regret.best
    one = len(regret.nearest) == 1
    ends = f"{names[0].upper()}{names[1:]} {'ends' if one else 'end equally'} near{'est' if one else ''} to the best"
    median = f"{'its' if one else 'their'} median regret is {best['median_regret']:.3g}"
    return (
        f"{ends} of the table: {median} after {regret.until:.4g} {regret.unit}, and {_halfway(regret)}."
        f"{_not_told_apart(regret)}"
    )


def _halfway(regret: Regret) -> str:
    """Returns how near the method was halfway, or which of several was nearest then."""
    medians = {m: float(regret.of(m, np.array([regret.until / 2]))[1, 0]) for m in regret.nearest}
    least = min(medians.values())
    ahead = [method.words for method, median in medians.items() if math.isclose(median, least, abs_tol=TIE)]
    lead = "" if len(ahead) == len(medians) else f", where {listed(ahead)} {'was' if len(ahead) == 1 else 'were'} ahead"
    return f"{least:.3g} halfway{lead}"


def _not_told_apart(regret: Regret) -> str:
    """Returns a sentence about the methods that end farther away, but not for certain."""
    others = [method.words for method in regret.undecided() if method not in regret.nearest]
    it = "it" if len(regret.nearest) == 1 else "them"
    return f" These runs do not tell {it} apart from {listed(others)}." if others else ""


def _nearest(regret: Regret) -> str:
    """Returns the methods that end nearest to the best of the table, in words."""
    nearest = [method.words for method in regret.nearest]
    every = len(nearest) == len(regret.methods) > 2
    return f"all {len(nearest)} methods" if every else listed(nearest)


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


def compare(runs: Mapping[str, tuple[Folder, Json]]) -> Page:
    """Returns simulations beside each other, by what each is called. Raises InputError if their metrics differ."""
    damaged: list[str] = []
    read = {label: _regret(folder, damaged) for label, (folder, _) in runs.items()}
    found = {label: regret for label, regret in read.items() if regret is not None}
    if not found:
        raise InputError("compare needs a simulation with a result; none of these has one")
    if len({(regret.metric, regret.mode) for regret in found.values()}) > 1:
        compared = ", ".join(f"{label} by {regret.metric} ({regret.mode})" for label, regret in found.items())
        raise InputError(f"compare needs simulations by one metric: these compared their methods {compared}")
    damaged += [f"Of the table of {label}: {regret.note}." for label, regret in found.items() if regret.note]
    if len({(regret.best_value, regret.worst_value) for regret in found.values()}) > 1:
        damaged.append("These are not of one table: each regret is counted from the best of its own.")
    return Page(
        title=f"{len(runs)} simulations",
        verdict=_nearest_in(found),
        notes=damaged,
        sections=[
            Section(title="Which method is near the best", charts=[regrets_of(found)], table=_by_method(found)),
            Section(title="What was simulated", table=_simulated(found)),
            asked_section(runs),
        ],
    )


def _nearest_in(runs: Mapping[str, Regret]) -> str:
    """Returns which methods end nearest to the best in which simulations."""
    places: dict[str, list[str]] = {}
    for label, regret in runs.items():
        places.setdefault(_nearest(regret), []).append(label)
    told = "; ".join(f"{name} in {listed(labels)}" for name, labels in places.items())
    return f"At the end these are nearest to the best of the table: {told}."


def _by_method(runs: Mapping[str, Regret]) -> Table:
    """Returns the median regret at the end: a row for each method, and a column for each run."""
    ends = {
        label: {method.words: float(regret.of(method)[1, -1]) for method in regret.methods}
        for label, regret in runs.items()
    }
    methods = dict.fromkeys(method for own in ends.values() for method in own)
    rows = [(method, *(own.get(method) for own in ends.values())) for method in methods]
    return Table(columns=("median regret at the end", *runs), rows=rows, sortable=True)


def _simulated(runs: Mapping[str, Regret]) -> Table:
    columns = (
        "run",
        "table",
        "its best",
        "its worst",
        "time",
        "counted in",
        "workers",
        "runs",
        "not told apart from the best",
    )
    rows = [
        (
            label,
            r.table,
            r.best_value,
            r.worst_value,
            r.until,
            r.unit,
            r.workers,
            len(r.runs),
            ", ".join(m.words for m in r.undecided()),
        )
        for label, r in runs.items()
    ]
    return Table(columns=columns, rows=rows)
