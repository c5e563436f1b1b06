"""The page of a tuning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any

from tautune.analysis.method_names import listed
from tautune.analysis.pages.page import Chart, Page, Section, Table
from tautune.analysis.reports.charts.compared import best_so_far_of
from tautune.analysis.reports.charts.front import on_the_front, pareto_front
from tautune.analysis.reports.charts.lateness import lateness_of_trials
from tautune.analysis.reports.charts.population import lineage
from tautune.analysis.reports.charts.progress import best_so_far, learning_curves
from tautune.analysis.reports.charts.rungs import rungs_chart
from tautune.analysis.reports.charts.space import importances, parallel_coordinates, slices
from tautune.analysis.reports.charts.time_line import time_line
from tautune.analysis.reports.parts.asked import asked_section
from tautune.analysis.reports.parts.commands import of_folder, train_again, tune_again
from tautune.analysis.reports.parts.tuned import BAD, Json, Tuned, keys, read_tuned
from tautune.analysis.reports.parts.unfinished import unfinished_note
from tautune.analysis.reports.sections.provenance import provenance_section, total_duration
from tautune.analysis.reports.sections.refitted import test_section
from tautune.analysis.trial_names import POPULATION
from tautune.records.errors import InputError
from tautune.records.storage import Folder
from tautune.trainables.goal import in_words

STATES = {"finished": "finished", "stopped": "stopped early"} | {
    state: state for state in ("diverged", "failed", "running", "interrupted")
}
"""What the states of trials are called."""


def page(folder: Folder, run: Json) -> Page:
    """Returns the report of the tuning in a folder, also of one that is still going on."""
    tuned = read_tuned(folder)
    sections = [*_sections(tuned), provenance_section(run)]
    return Page(
        title=f"Tuning of {PurePath(str(tuned.configuration['study'])).name}",
        verdict=verdict(tuned),
        facts=_facts(tuned),
        notes=[*_notes(tuned), *tuned.history.damaged],
        sections=sections,
    )


def verdict(tuned: Tuned) -> str:
    """Returns what came out in a sentence."""
    if carried := tuned.run.get("transferred"):
        rate = carried.get("learning_rate")
        at = f"{rate:.4g}" if isinstance(rate, float) else rate
        return (
            f"The best configuration of {carried.get('from')}, carried to delay {carried.get('delay')} with η = {at}."
        )
    if not tuned.rows:
        return f"No trial has reported{' yet' if _goes_on(tuned) else ''}."
    if not tuned.best:
        bad = {row["state"] for row in tuned.rows}
        why = (
            f"all of them {bad.pop()}"
            if len(bad) == 1 and bad <= set(BAD)
            else "they diverged, failed or exceed a limit"
        )
        return f"No trial has a result that counts: {why}."
    best = tuned.best[0]
    which = "The only trial" if len(tuned.rows) == 1 else f"The best of {len(tuned.rows):,} trials"
    return (
        f"{which} is {tuned.names[best['trial']]}: {tuned.goal.words} "
        f"{value_of(tuned, best)} at {tuned.one} {best['epochs']} of {best['epochs_trained']}.{on_the_front(tuned)}"
    )


def value_of(tuned: Tuned, row: Json) -> str:
    """Returns a trial's metric as it is shown."""
    value = row[tuned.goal.metric]
    spread = row.get(f"{tuned.goal.metric}_deviation")
    return f"{value:.5g}" + (f" ± {spread:.2g}" if spread else "")


def _facts(tuned: Tuned) -> dict[str, str]:
    counts = Counter(row["state"] for row in tuned.rows)
    facts = {f"best {tuned.goal.words}": value_of(tuned, tuned.best[0])} if tuned.best else {}
    if tuned.rows or not tuned.run.get("transferred"):
        facts["trials"] = f"{len(tuned.rows):,} of {_wanted(tuned):,}" if _goes_on(tuned) else f"{len(tuned.rows):,}"
    facts |= {called: f"{counts[state]:,}" for state, called in STATES.items() if counts[state]}
    if tuned.history.reports:
        facts[tuned.spent] = f"{len(tuned.history.reports):,}"
    took = total_duration(tuned.run)
    return facts | ({"time": took} if took else {})


def _wanted(tuned: Tuned) -> int:
    return max(len(tuned.rows), sum(run.get("trials") or 0 for run in tuned.run["runs"] if not run.get("resumed")))


def _goes_on(tuned: Tuned) -> bool:
    runs = tuned.run.get("runs") or [{}]
    return "finished" not in runs[-1]


def _notes(tuned: Tuned) -> Iterator[str]:
    if carried := tuned.run.get("transferred"):
        yield "This folder holds what `tautune transfer` carried to it, and no trials of its own."
    if _goes_on(tuned):
        yield unfinished_note(f"`{of_folder('resume', tuned.folder)}`")
    elif not (tuned.rows or carried):
        yield "The table of trials is missing or empty, although the run came to its end."
    if tuned.rows and not tuned.history.reports:
        yield (
            "This folder has each trial's best epoch and no curves: it was copied without its journal, or an older "
            "version wrote it."
        )
    if failed := [row for row in tuned.rows if row["state"] == "failed"]:
        reasons = Counter(row.get("failure", "") for row in failed).most_common(1)
        yield f"{len(failed)} trials failed; most often: {reasons[0][0]}"


def _sections(tuned: Tuned) -> Iterator[Section]:
    if tuned.best:
        yield _reproduction(tuned)
    yield from test_section(tuned)
    if tuned.good and tuned.history.reports:
        yield Section(title="How it went", charts=_drawn(tuned, best_so_far, learning_curves, _stops, _lineage))
    if tuned.good:
        yield Section(title="Where the good ones are", charts=_drawn(tuned, parallel_coordinates, slices, pareto_front))
        yield _importance(tuned)
    if charts := _drawn(tuned, time_line, lateness_of_trials):
        yield Section(title="When and where", charts=charts)
    if tuned.rows:
        yield Section(title="All trials", table=trials_table(tuned))


def _drawn(tuned: Tuned, *draw: Callable[[Tuned], Chart | None]) -> list[Chart]:
    return [chart for one in draw if (chart := one(tuned)) is not None]


def _is_population(tuned: Tuned) -> bool:
    return tuned.configuration.get("scheduler") in POPULATION


def _stops(tuned: Tuned) -> Chart | None:
    return None if _is_population(tuned) else rungs_chart(tuned)


def _lineage(tuned: Tuned) -> Chart | None:
    return lineage(tuned) if _is_population(tuned) else None


def _reproduction(tuned: Tuned) -> Section:
    best, kept = tuned.best[0], tuned.configuration
    values = Table(columns=("hyperparameter", "value"), rows=list(best["config"].items()))
    whole = "The whole run again:" if _is_population(tuned) else "The best trial again, and then the whole run:"
    commands = [] if _is_population(tuned) else [train_again(kept, best["config"])]
    changed = (
        ["The population changed the best trial's hyperparameters while it trained; these are the last ones."]
        if _is_population(tuned) and _changed(best)
        else []
    )
    return Section(
        title="The best configuration", text=(*changed, whole), commands=[*commands, tune_again(kept)], table=values
    )


def _changed(row: Json) -> bool:
    """Returns whether a trial, or those whose weights it took over, had other hyperparameters before."""
    return len({repr({**entry, "epoch": None}) for entry in row.get("history") or ()}) > 1


def _importance(tuned: Tuned) -> Section:
    title = "Which hyperparameters mattered"
    try:
        return Section(title=title, charts=[importances(tuned)])
    except InputError as error:
        return Section(title=title, text=(f"{str(error)[0].upper()}{str(error)[1:]}.",))


def trials_table(tuned: Tuned) -> Table:
    """Returns all trials, the best first, with what differs between them."""
    goal = tuned.goal
    others = [name for name in (*dict(goal.others), *dict(goal.limits), *goal.ties) if name != goal.metric]
    scores = list(dict.fromkeys([goal.metric, *others]))
    varying = list(tuned.space)
    columns = (
        "trial",
        "state",
        *map(in_words, scores),
        f"best {tuned.one}",
        tuned.spent,
        "seconds",
        "host",
    )
    rows: list[list[Any]] = []
    for row in tuned.rows:
        shown = [None if row["state"] in BAD else row.get(name) for name in scores]
        counts = [row["epochs"], row["epochs_trained"], row.get("seconds"), row.get("host")]
        own = [row["config"].get(name) for name in varying]
        rows.append([tuned.names[row["trial"]], row["state"], *shown, *counts, *own])
    on_paper = len(columns) if varying else None
    trials = keys(tuned.rows)
    return Table(columns=(*columns, *varying), rows=rows, trials=trials, sortable=True, on_paper=on_paper)


def compare(runs: Mapping[str, tuple[Folder, Json]]) -> Page:
    """Returns tunings beside each other, by what each is called. Raises InputError if their metrics differ."""
    tunings = {label: read_tuned(folder) for label, (folder, _) in runs.items()}
    goals = {(tuned.goal.metric, tuned.goal.mode) for tuned in tunings.values()}
    if len(goals) > 1:
        compared = ", ".join(f"{label} by {tuned.goal.metric}" for label, tuned in tunings.items())
        raise InputError(f"compare needs tunings of one metric: these compared their trials {compared}")
    chart = best_so_far_of(tunings)
    found = [label for label, tuned in tunings.items() if tuned.best]
    order = sorted(found, key=lambda label: tunings[label].goal.rank(tunings[label].best[0]))
    verdict = "No run has a result yet."
    if order:
        best = tunings[order[0]]
        value = value_of(best, best.best[0])
        first = [label for label in order if value_of(tunings[label], tunings[label].best[0]) == value]
        verdict = f"{listed(first)} found the best: {best.goal.words} {value}."
    return Page(
        title=f"{len(tunings)} tunings",
        verdict=verdict,
        notes=[line for tuned in tunings.values() for line in tuned.history.damaged],
        sections=[
            Section(title="How they went", charts=[chart] if chart else [], table=_runs_table(tunings)),
            asked_section(runs),
        ],
    )


def _runs_table(tunings: Mapping[str, Tuned]) -> Table:
    first = next(iter(tunings.values()))
    goal = first.goal
    counted = {label: Counter(row["state"] for row in tuned.rows) for label, tuned in tunings.items()}
    states = {state: called for state, called in STATES.items() if any(own[state] for own in counted.values())}
    columns = ("run", f"best {goal.words}", "its trial", "trials", *states.values(), first.spent, "time")
    rows = []
    for label, tuned in tunings.items():
        best = tuned.best[0] if tuned.best else None
        shown = (best[goal.metric], tuned.names[best["trial"]]) if best else (None, None)
        spent = len(tuned.history.reports) or None
        ended = (counted[label][state] for state in states)
        rows.append((label, *shown, len(tuned.rows), *ended, spent, total_duration(tuned.run)))
    return Table(columns=columns, rows=rows)
