"""The command that compares searches and schedulers on trainings that were done."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tautune import _simulate
from tautune.analysis.method_names import listed
from tautune.commands.checking import checked
from tautune.commands.fitted_table import Column, fitted_table, print_whole
from tautune.commands.help_texts import MEASURE, examples
from tautune.commands.options import parameters
from tautune.commands.screen import working
from tautune.commands.started import STARTED
from tautune.records.errors import InputError
from tautune.records.run_file import check_output
from tautune.records.storage import output_folder
from tautune.runners.simulation.simulation import REPLAYED, SIMULATED, Simulation

if TYPE_CHECKING:
    from tautune.analysis.regret import Regret

simulate_command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def _repeated(names: tuple[str, ...], default: tuple[str, ...]) -> Any:
    return typer.Option(
        metavar="NAME", help=f"May be repeated: {', '.join(names)}.", show_default=" and ".join(default)
    )


TableName = Annotated[str, typer.Argument(help="A folder that `tautune tune` wrote, or a CSV file of trainings.")]
Searches = Annotated[list[str] | None, _repeated(REPLAYED, Simulation.searches)]
Schedulers = Annotated[list[str] | None, _repeated(SIMULATED, Simulation.schedulers)]
Metric = Annotated[
    str | None, typer.Option(help="Column of a CSV file to compare by.", show_default="validation_accuracy")
]
TimeBudget = Annotated[
    float | None,
    typer.Option(help="Simulated time of a run, in the table's unit.", show_default="that of 32 trainings"),
]
Output = Annotated[
    str | None, typer.Option(help="Folder for the results, or s3://…, gs://…", show_default="results/simulate-…")
]


@simulate_command.command(rich_help_panel=MEASURE, epilog=examples("simulate"))
def simulate(
    table: TableName,
    search: Searches = None,
    scheduler: Schedulers = None,
    metric: Metric = None,
    mode: Annotated[str | None, typer.Option(help="Whether max or min of the metric is best.")] = None,
    workers: Annotated[int, typer.Option(help="Simulated trials at once.")] = 4,
    repeats: Annotated[int, typer.Option(help="Runs of each method, each with its own seed.")] = 50,
    time_budget: TimeBudget = None,
    output: Output = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Compare searches and schedulers on TABLE's trainings, by regret over simulated time; nothing is trained."""
    with parameters(InputError):
        wanted = Simulation(
            searches=tuple(search or Simulation.searches),
            schedulers=tuple(scheduler or Simulation.schedulers),
            workers=workers,
            repeats=repeats,
            time_budget=time_budget,
        )
        trainings = _simulate.read(table, metric, mode)  # type: ignore[arg-type]  # which it checks
        wanted.check(trainings)
    folder = output_folder(output, f"simulate-{Path(table).resolve().stem}")
    check_output(folder, "simulation")
    checked()
    runs = wanted.repeats * len(wanted.searches) * len(wanted.schedulers)
    with working(f"simulating {runs} runs", stderr=as_json):
        regret = _simulate.carry_out(trainings, wanted, folder)
    if as_json:
        print(json.dumps(regret.as_json()))
    else:
        _print(regret, Console())


def _print(regret: "Regret", console: Console) -> None:
    print_whole(console, _table(regret, console))
    if undecided := regret.undecided():
        others = listed([str(method) for method in undecided])
        console.print(
            f"{regret.table} does not tell {regret.nearest[0]} apart from {others}: the "
            "95 % interval of their difference covers 0; more repeats, a shorter time budget or a larger table may",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )
    if regret.note:
        console.print(f"{regret.table}: {regret.note}", soft_wrap=True, highlight=False, markup=False)
    seconds = time.monotonic() - STARTED
    files = "simulate.json, simulate.csv, simulate.png"
    console.print(f"{regret.path}: {files}; {seconds:.1f} s", soft_wrap=True, highlight=False, markup=False)


def _table(regret: "Regret", console: Console) -> Table:
    rows = regret.rows()
    columns = [
        Column("method", [str(method) for method in regret.methods], bends=True),
        Column("median", [f"{row['median_regret']:.3g}" for row in rows], justify="right"),
        Column(
            "quartiles", [f"{row['lower_quartile']:.3g} to {row['upper_quartile']:.3g}" for row in rows], 2, "right"
        ),
        Column("median halfway", [f"{row['median_regret_halfway']:.3g}" for row in rows], 1, "right"),
        Column("trials", [f"{row['trials']:.1f}" for row in rows], 3, "right"),
    ]
    title = f"{regret.table}: regret in {regret.metric} after {regret.until:.4g} {regret.unit}"
    return fitted_table(columns, console, title=title)
