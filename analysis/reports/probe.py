"""The page of a probe: is the learning rate safe where the training stands, at which delays, and by what margin?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from typing import Any

from tautune.analysis.method_names import in_words
from tautune.analysis.pages.page import Chart, Page, Section, Table
from tautune.analysis.probe import Probe, read_probe
from tautune.analysis.probe_figure import limits, limits_figure, quantiles, spread_figure
from tautune.analysis.probe_verdict import in_steps, verdict_of
from tautune.analysis.reports.parts.after_probe import after_probe
from tautune.analysis.reports.parts.commands import probe_again
from tautune.analysis.reports.sections.again import again_section, given_in
from tautune.analysis.reports.sections.provenance import provenance_section, total_duration
from tautune.records.errors import InputError
from tautune.records.storage import Folder

Json = dict[str, Any]
COLUMNS = ("delay τ", "threshold ηλ", "largest η", "mean-square η", "margin", "safe", "growth a step")


def page(folder: Folder, run: Json) -> Page:
    """Returns the report of the probe in a folder."""
    configuration = run["configuration"]
    try:
        found = read_probe(folder)
    except InputError as error:
        title, verdict = f"Probe of {configuration.get('study')}", "There is no result."
        return Page(title=title, verdict=verdict, notes=[f"Left out: {error}"], sections=[provenance_section(run)])
    verdict = verdict_of(found)
    return Page(
        title=f"{found.study}: is {in_words(found.optimizer.lower())} safe where it stands?",
        verdict=verdict[0].upper() + verdict[1:],
        facts=_facts(found, run),
        notes=list(_notes(found, configuration)),
        sections=[
            _limits(found),
            _spread(found),
            *_remedy(found),
            again_section(run, lambda study: probe_again(study, configuration)),
            Section(
                title="What to ask next",
                text=("All optimizers and remedies at this delay; and the thresholds at the minimum, measured:",)
                if given_in(run)
                else ("All optimizers and remedies at this delay:",),
                commands=after_probe(found, given_in(run), configuration),
            ),
            provenance_section(run),
        ],
    )


def _facts(found: Probe, run: Json) -> dict[str, str]:
    facts = {} if found.learning_rate is None else {"learning rate η": f"{found.learning_rate:.4g}"}
    if found.margin is not None:
        facts |= {"margin": f"{found.margin:.3g}", "at delay τ": str(found.delay)}
    kind = "preconditioned sharpness λ" if found.preconditioned else "sharpness λ"
    facts |= {kind: f"{found.sharpness:.5g}", "loss": f"{found.loss:.4g}", "examples": f"{found.examples:,}"}
    took = total_duration(run)
    return facts | ({"time": took} if took else {})


def _notes(found: Probe, configuration: Json) -> Iterator[str]:
    if configuration.get("checkpoint", "") is None:
        yield "These are the weights at which training begins, which has not yet changed the sharpness."
    if found.loop.delay.drawn or not found.loop.delay.is_fixed:
        yield "The curve and the largest delay are of fixed delays; the mark is of the delays that vary."


def _limits(found: Probe) -> Section:
    curve = limits(found)
    noisy = any(limit.square is not None for limit in curve)
    columns = ("delay τ", "largest η", "with the noise between batches") if noisy else ("delay τ", "largest η")
    marked = (
        " The full line is this training's learning rate where it is safe, and dashed where it is not; a disc is a "
        "delay of the table at which it is safe, a cross one at which it is not."
    )
    chart = Chart(
        name="limits",
        title="The largest stable learning rate at each delay",
        says=f"Below the curve the sharpest direction, λ = {found.sharpness:.5g}, dies out, and in the grey above it "
        f"grows.{' The curve counts the noise between batches.' if noisy else ''}"
        f"{'' if found.learning_rate is None else marked}",
        figure=limits_figure(found, curve),
        table=Table(columns=columns, rows=[limit[: len(columns)] for limit in curve]),
    )
    table = Table(columns=COLUMNS, rows=[astuple(row) for row in found.rows])
    margin = "The margin is the factor by which the learning rate may grow before it reaches the smaller of both η."
    return Section(
        title="Up to which learning rate",
        text=() if found.margin is None else (margin,),
        charts=[chart],
        table=table,
    )


def _spread(found: Probe) -> Section:
    title = "How the batches differ"
    if found.noise is None:
        return Section(
            title=title,
            text=(
                "There was one batch, so nothing is known of the noise between mini-batches, which lowers the largest "
                "stable learning rate: give several, or `--mini-batch`.",
            ),
        )
    shares = quantiles(found)
    chart = Chart(
        name="spread",
        title=f"The curvature of {len(found.batch_curvatures):,} batches along the sharpest direction",
        says=f"Each is divided by their mean, λ. Their variance over λ² is r = {found.noise:.3g}, which makes the "
        "mean-square η of the table lower than that of the mean.",
        figure=spread_figure(found),
        table=Table(
            columns=("batches up to it, %", "curvature / λ"), rows=[(100 * one, ratio) for one, ratio in shares]
        ),
    )
    return Section(title=title, charts=[chart])


def _remedy(found: Probe) -> Iterator[Section]:
    if best := found.best_remedy:
        yield Section(title="The best remedy", text=(f"At {in_steps(found.delay)}, in Python:",), commands=[best.code])
