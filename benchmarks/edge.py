"""Follows trainings of digits_squared to their delay's edge of stability: what SGD and the adaptive methods settle at.

    python -m benchmarks.edge [--json] [--part]

The trainings are those of `tautune edge`, in this process. Each part, one optimizer at one delay, is kept in
results/edge-parts, so that the command goes on where it was stopped; `--part` ends after one of them.
"""

import json
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import Annotated, Any, NamedTuple

import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.edge_average import Average, whole_cycles
from benchmarks.record import keep
from tautune.analysis.edges import LATE, Curve, Edges, conclude
from tautune.analysis.figure_style import DOTS_PER_INCH
from tautune.runners.edge import LOOKS, Edge
from tautune.runners.edge_plan import EdgePlan
from tautune.trainables.edge.following import Following, Sample
from tautune.trainables.edge.names import loop_of
from tautune.trainables.edge.runs import Runs

Json = dict[str, Any]
STUDY = "digits_squared"
PARTS = Path("results/edge-parts")
PICTURES = Path(__file__).parents[1] / "docs"
DRAWN = {"sgd": "edge.png", "sgd, 24,000 steps": "edge_long.png", "adam, β₂ = 0.999": "edge_adam.png"}
ABOVE = 1.05
"""The ratio at which it is asked in how many steps an error grows e-fold."""
AGES = (5, 10, 20, 40, 80, 160, 320)
"""Ends of the ages into which what is seen of trainings is divided, in such times since the edge was first passed."""
LONG = 6000
"""Steps above which a case is told by them."""


class Case(NamedTuple):
    """One command `tautune edge`."""

    optimizer: str
    delays: tuple[int, ...]
    steps: int = 4000
    seeds: int = 3
    decay: float = 0.999
    learning_rate: float | None = None
    averaged: bool = False
    """Whether the weights averaged over an oscillation are looked at as well."""

    @property
    def name(self) -> str:
        """Returns what tells it from the others."""
        rate = "" if self.learning_rate is None else f", η = {self.learning_rate:g}"
        decay = f", β₂ = {self.decay:g}" if self.optimizer in ("adam", "rmsprop", "nadam") else ""
        long = f", {self.steps:,} steps" if self.steps > LONG else ""
        return f"{self.optimizer}{rate}{decay}{long}"

    def settings(self) -> Edge:
        """Returns the settings of the command."""
        rates = () if self.learning_rate is None else (self.learning_rate,)
        own = {"steps": self.steps, "seeds": self.seeds, "decay": self.decay, "learning_rates": rates}
        return Edge(study=STUDY, optimizer=self.optimizer, delays=self.delays, **own)  # type: ignore[arg-type]


CASES = (
    Case("sgd", (0, 1, 2, 4, 8)),
    Case("sgd", (0, 1, 2, 4, 8), 24_000, averaged=True),
    Case("momentum", (0, 2), seeds=2),
    Case("adam", (0, 1, 2, 4), 6000, 2),
    Case("adam", (2,), 6000, 2, learning_rate=0.0005),
    Case("adam", (2,), 6000, 2, decay=0.99),
    Case("adam", (2,), 6000, 2, decay=0.9999),
    Case("rmsprop", (0, 2), seeds=2),
    Case("nadam", (2,), seeds=2),
)


def part(case: Case, delay: int) -> Path:
    """Returns the file of a case's trainings at one delay."""
    rate = "own" if case.learning_rate is None else f"{case.learning_rate:g}"
    return PARTS / f"{case.optimizer}-{delay}-{case.steps}-{case.seeds}-{case.decay:g}-{rate}.json"


def train(case: Case, delay: int) -> None:
    """Trains, and keeps what was seen."""
    plan = EdgePlan(case._replace(delays=(delay,)).settings())
    plan.problem.model.eval()
    starts = [plan.study.start(run.seed).float() for run in plan.runs]
    trainings = Runs(plan.problem, plan.runs, starts, optimizer=case.optimizer, decay=case.decay)
    following, samples = Following(trainings, every=case.steps // LOOKS), []
    average, averages = Average(trainings, period=2 * (2 * delay + 1)) if case.averaged else None, []
    while trainings.time < case.steps and trainings.alive:
        samples += following.advance()
        if average is not None:
            averages += average.look()
    PARTS.mkdir(parents=True, exist_ok=True)
    part(case, delay).write_text(json.dumps({"sharpness": plan.sharpness, "samples": samples, "averages": averages}))


def concluded(case: Case) -> Edges:
    """Returns the conclusions of a case all of whose parts are there."""
    kept = [json.loads(part(case, delay).read_text()) for delay in case.delays]
    samples = [Sample(*values) for one in kept for values in one["samples"]]
    decay = case.decay if case.settings().divides else None
    return conclude(
        samples,
        study=STUDY,
        optimizer=case.optimizer,
        decay=decay,
        steps=case.steps,
        sharpness=kept[0]["sharpness"],
    )


def by_age(edges: Edges) -> list[Json]:
    """Returns for each delay the median ratio over all seeds, by the time since each has first passed its edge.

    That time is counted in times in which an error along the sharpest direction grows e-fold at the ratio `ABOVE`; None
    stands for ages that no training has come to.
    """
    rows = []
    for delay in sorted({curve.delay for curve in edges.curves}):
        loop = loop_of(edges.optimizer, delay)
        growing = 1 / loop.growth(ABOVE * loop.threshold)
        seen = [
            ((step - arrival) / growing, ratio)
            for curve in edges.curves
            if curve.delay == delay and (arrival := _arrival(curve)) is not None
            for step, ratio in zip(curve.steps, curve.ratios, strict=True)
        ]
        at = {f"{low} to {high}": [ratio for age, ratio in seen if low <= age < high] for low, high in pairwise(AGES)}
        medians = {ages: median(ratios) if ratios else None for ages, ratios in at.items()}
        rows.append({"delay": delay, "steps_to_grow": growing, "ratios": medians})
    return rows


def averages(case: Case, edges: Edges) -> list[Json]:
    """Returns for each delay what the last quarter of the steps holds, by three measures over all seeds.

    They are the median of the ratios, as in its point, their mean over whole cycles, and the median at the weights
    averaged over an oscillation.
    """
    rows = []
    for point in edges.points:
        curves = [curve for curve in edges.curves if curve.delay == point.delay and curve.diverged is None]
        means = [own for curve in curves if (own := whole_cycles(_late(curve, case.steps))) is not None]
        looks = json.loads(part(case, point.delay).read_text())["averages"]
        central = median(ratio for step, _, ratio in looks if step > LATE * case.steps)
        rows.append({"delay": point.delay, "median": point.ratio, "mean": mean(means), "at_averaged_weights": central})
    return rows


def _late(curve: Curve, steps: int) -> list[float]:
    return [ratio for step, ratio in zip(curve.steps, curve.ratios, strict=True) if step > LATE * steps]


def _arrival(curve: Curve) -> int | None:
    """Returns the step of the first look at which a training is beyond its edge."""
    return next((step for step, ratio in zip(curve.steps, curve.ratios, strict=True) if ratio > 1), None)


def main(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    one: Annotated[bool, typer.Option("--part", help="End after one part that is missing.")] = False,
) -> None:
    """Train, conclude and draw."""
    torch.set_num_threads(1)
    missing = [(case, delay) for case in CASES for delay in case.delays if not part(case, delay).exists()]
    for case, delay in missing[: 1 if one else None]:
        train(case, delay)
    if one and len(missing) > 1:
        print(f"{len(missing) - 1} parts are missing")
        return
    table = Table("optimizer", "delay τ", "η", "ηλ / threshold", "of the seeds", "drift", "diverged")
    cases: Json = {}
    for case in CASES:
        edges = concluded(case)
        cases[case.name] = {"steps": case.steps, "points": [asdict(point) for point in edges.points]}
        if case.optimizer == "sgd":
            cases[case.name]["by_age"] = by_age(edges)
        if case.averaged:
            cases[case.name]["averages"] = averages(case, edges)
        if case.name in DRAWN:
            edges.plot().savefig(PICTURES / DRAWN[case.name], dpi=DOTS_PER_INCH)
        for point in edges.points:
            settled = [f"{v:.3f}" if v is not None else "-" for v in (point.ratio, point.lowest, point.highest)]
            drift = "-" if point.drift is None else f"{100 * point.drift:+.1f} %"
            gone = f"{point.diverged} of {point.seeds}"
            spread = f"{settled[1]} to {settled[2]}"
            table.add_row(case.name, str(point.delay), f"{point.learning_rate:.4g}", settled[0], spread, drift, gone)
    keep("edge", {"cases": cases}, as_json=as_json)
    if not as_json:
        Console().print(table)


if __name__ == "__main__":
    typer.run(main)
