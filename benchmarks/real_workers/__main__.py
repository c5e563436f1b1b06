"""Measures the thresholds of real workers, beside what theory says of the ages that they recorded.

    python -m benchmarks.real_workers [--short]

N = 2, 4 and 8 workers of equal speed, and N of which one is four times as slow, train with the full batch: an MLP on
digits, and a small convolutional network on Fashion-MNIST. Theory is asked for the threshold of the recorded ages with
their shares, and of one delay that stands for them: their mean, their 90 % quantile, their maximum. On fewer cores than
workers, their speeds are also the scheduler's; the ages are recorded all the same. A run that is stopped goes on with
the next case. `docs/real_workers.md` has the plan and the results.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.record import RESULTS, begun, plan_as_json
from tautune.cluster.session.environment import set_environment

set_environment()  # before Ray is imported

import torch  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

from benchmarks.claims.trials import network  # noqa: E402
from benchmarks.outcomes.training import training  # noqa: E402
from benchmarks.real_workers.conclusions import PREDICTIONS, error, name_of  # noqa: E402
from benchmarks.real_workers.figure import workers_figure  # noqa: E402
from benchmarks.real_workers.measurement import Case, measured  # noqa: E402
from tautune.cluster.session.session import ray_session  # noqa: E402
from tautune.records.files import write_json  # noqa: E402
from tautune.records.provenance import now, provenance  # noqa: E402
from tautune.search_spaces import find  # noqa: E402
from tautune.search_spaces.stability_study import StabilityStudy  # noqa: E402
from tautune.trainables.theory.problem import Problem  # noqa: E402
from tautune.trainables.threshold.descent import find_minimum  # noqa: E402
from tautune.trainables.threshold.minimum import Minimum  # noqa: E402

Json = dict[str, Any]
FILE, PICTURE = RESULTS / "real_workers.json", Path(__file__).parents[2] / "docs/real_workers.png"
IMAGES = 300
"""Images of Fashion-MNIST in the full batch."""


def digits() -> Problem:
    return find("digits").problem()


def images() -> Problem:
    given = training("fashion_mnist", 1, with_test=True).problem
    return StabilityStudy(
        name="fashion_mnist",
        data=(given.inputs[:IMAGES], given.targets[:IMAGES]),
        model=lambda: network(given.inputs.shape[1]),
        loss=cross_entropy,
        l2=0.01,
    ).problem()


MODELS: dict[str, Callable[[], Problem]] = {"digits MLP": digits, "Fashion-MNIST CNN": images}


@cache
def at_minimum(model: str) -> tuple[Problem, Minimum]:
    problem = MODELS[model]()
    return problem, find_minimum(problem)


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    models: tuple[str, ...] = tuple(MODELS)
    workers: tuple[int, ...] = (2, 4, 8)
    slowdowns: tuple[float, ...] = (1.0, 4.0)
    """Of one of the workers."""
    steps: int = 1000
    """Updates of a run."""
    runs: int = 7

    @property
    def cases(self) -> list[Case]:
        """Returns the cases in the order in which they are measured."""
        return [Case(*case) for case in product(self.models, self.workers, self.slowdowns)]


SHORT = Plan(models=("digits MLP",), workers=(2,), steps=300, runs=4)
"""A plan for a look, of a minute."""


def all_measured(plan: Plan, file: Path) -> Json:
    """Returns what the file has once every case is measured; it is written after each of them."""
    before = begun(file, plan)
    if before.get("finished"):
        return before
    known = {Case(row["model"], row["workers"], row["slowdown"]): row for row in before.get("rows", [])}
    found: Json = {"benchmark": "real_workers", "date": now(), "plan": plan_as_json(plan), "rows": []}
    file.parent.mkdir(parents=True, exist_ok=True)
    with ray_session():
        for case in plan.cases:
            row = known.get(case) or measured(case, *at_minimum(case.model), steps=plan.steps, runs=plan.runs)
            found["rows"].append(row)
            print(told(row), flush=True)
            write_json(file, found | provenance())
    found["finished"] = now()
    write_json(file, found | provenance())
    return found


def told(row: Json) -> str:
    return f"{row['model']}, workers: {name_of(row)}: {error(row, 'distribution'):+.1%} from the distribution's"


def show(found: Json) -> None:
    """Prints the measured thresholds, and how far they are from each prediction."""
    table = Table("model", "workers", "mean age", "longest", "measured aη", *PREDICTIONS)
    for row in found["rows"]:
        errors = [f"{100 * error(row, name):+.1f} %" for name in PREDICTIONS]
        threshold = f"{row['measured']:.4f} ± {row['uncertainty']:.4f}"
        table.add_row(row["model"], name_of(row), f"{row['mean_age']:.2f}", str(row["longest_age"]), threshold, *errors)
    Console().print(table)
    for name in PREDICTIONS:
        off = [abs(error(row, name)) for row in found["rows"]]
        print(f"{name}: {100 * fmean(off):.1f} % off on average, {100 * max(off):.1f} % at most")


def main(
    short: Annotated[bool, typer.Option("--short", help="Two workers on digits, for a look.")] = False,
    output: Annotated[Path | None, typer.Option(help="File of the results.")] = None,
) -> None:
    """Measure the thresholds of real workers, and compare them with theory for the ages that they had."""
    torch.set_num_threads(1)
    file = output or (Path("results/real_workers-short.json") if short else FILE)
    found = all_measured(SHORT if short else Plan(), file)
    show(found)
    workers_figure(found["rows"]).savefig(file.with_suffix(".png") if short or output else PICTURE, dpi=120)


if __name__ == "__main__":
    typer.run(main)
