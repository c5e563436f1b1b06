"""The command that shows what a tuning found: the best configurations, and which hyperparameters mattered."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console

from tautune.analysis.trial_names import varying_in
from tautune.commands.fitted_table import print_whole, print_words
from tautune.commands.help_texts import RESULTS, examples
from tautune.commands.signs import states_line
from tautune.commands.tuning_tables import importance_notes, importance_table, shared_words, trials_table
from tautune.records.errors import InputError
from tautune.records.storage import folder_at
from tautune.records.tuning_folder import read_tuning
from tautune.runners.trial_rows import read_rows, sorted_rows
from tautune.runners.trials import BAD, marked
from tautune.runners.tuning_checks import check_searched
from tautune.trainables.goal import Goal, goal_in

results_command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@results_command.command(rich_help_panel=RESULTS, epilog=examples("results"))
def results(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A folder that `tautune tune` wrote, or s3://…, gs://…")],
    top: Annotated[int, typer.Option(min=1, help="Configurations to show.")] = 10,
    sort: Annotated[
        str | None,
        typer.Option(help="A column of trials.csv or a hyperparameter; -NAME for descending.", show_default="the best"),
    ] = None,
    importance: Annotated[
        bool, typer.Option("--importance", help="Show which hyperparameters mattered instead, by Optuna's evaluators.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line; one object of all importances.")
    ] = False,
) -> None:
    """Show the best configurations that were found."""
    path = folder_at(folder)
    run = read_tuning(path)
    check_searched(path, run)
    configuration = run["configuration"]
    goal = goal_in(configuration)
    rows = read_rows(path, goal)
    rows = sorted_rows(rows, sort, goal) if sort else rows
    if not rows:
        raise InputError(f"{path} has no trials to show: trials.jsonl is missing or empty")
    if importance:
        _show_importance(rows, configuration["space"], goal, as_json=as_json)
    elif as_json:
        for row in rows[:top]:
            print(json.dumps(row))
    else:
        _show(rows, configuration, goal, top=top)


def _show(rows: list[dict[str, Any]], configuration: dict[str, Any], goal: Goal, *, top: int) -> None:
    console, varying = Console(), varying_in(configuration)
    ranked = marked(rows, goal)
    good = [row for row in ranked if row["state"] not in BAD and goal.is_feasible(row)]
    best = min(good, key=goal.rank, default=None)
    print_whole(console, trials_table(ranked[:top], goal, varying, console, best=best))
    if words := shared_words(rows, varying):
        print_words(console, words, style="dim")
    print_words(console, states_line((row["state"] for row in rows), console))


def _show_importance(rows: list[dict[str, Any]], space: dict[str, Any], goal: Goal, *, as_json: bool) -> None:
    from tautune.analysis.importance import importance

    found = importance(rows, space, goal)
    if as_json:
        print(json.dumps(found.as_json()))
        return
    console = Console()
    print_whole(console, importance_table(found, goal, console))
    for note in importance_notes(found):
        console.print(note, soft_wrap=True, highlight=False, markup=False)
