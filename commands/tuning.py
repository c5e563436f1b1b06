"""The commands of tuning: tune, resume, extend, results, refit, predict."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tautune.records.errors import InputError, user_input
from tautune.runners.methods import SCHEDULERS, SEARCHES
from tautune.search_spaces.names import check_name

STARTED = time.monotonic()
"""When the command started, or very nearly."""

tuning_commands = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Folder = Annotated[str, typer.Argument(metavar="DIR", help="A folder that `tautune tune` wrote, or s3://…, gs://…")]
DataDir = Annotated[Path | None, typer.Option(help="Where data sets are looked for first.", show_default=False)]


def _from_study(text: str, **options: Any) -> Any:
    """Returns an option whose default is the study's."""
    return typer.Option(help=text, show_default="the study's", **options)


def _choice(option: str, names: tuple[str, ...], text: str) -> Any:
    """Returns an option that is one of some names; the error for another one names the nearest of them."""

    def check(value: str | None) -> str | None:
        if value is not None:
            with user_input():
                check_name(option, value, names)
        return value

    return _from_study(f"{text}: {', '.join(names[:-1])} or {names[-1]}.", metavar="NAME", callback=check)


@tuning_commands.command()
def tune(
    study: Annotated[str, typer.Argument(help="One of `tautune studies`, or your own: path/to/my_study.py.")],
    search: Annotated[str | None, _choice("--search", SEARCHES, "How configurations are chosen")] = None,
    scheduler: Annotated[str | None, _choice("--scheduler", SCHEDULERS, "What ends a trial early")] = None,
    trials: Annotated[int | None, _from_study("Configurations to try.")] = None,
    max_epochs: Annotated[int | None, _from_study("Epochs of a trial at most.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Fix a hyperparameter: --set delay=8. May be repeated."),
    ] = None,
    folds: Annotated[int, typer.Option(min=1, help="Cross-validate each configuration on so many folds.")] = 1,
    repeats: Annotated[int, typer.Option(min=1, help="Splits, or divisions into folds, to average over.")] = 1,
    examples: Annotated[int | None, _from_study("Training images at most, a fixed stratified part.", min=1)] = None,
    concurrent: Annotated[int | None, typer.Option(min=1, help="Trials at once at most.")] = None,
    time_budget: Annotated[float | None, typer.Option(help="Seconds after which no trial goes on.")] = None,
    cpus_per_trial: Annotated[float, typer.Option(help="CPU cores that a trial takes.")] = 1,
    gpus_per_trial: Annotated[float, typer.Option(help="GPUs that a trial takes; fractions share one.")] = 0,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Seed of the search and of the initial weights.")] = 0,
    split_seed: Annotated[
        int, typer.Option(min=0, max=2**31, help="Seed of the splits: runs with other --seed share their splits.")
    ] = 0,
    data_dir: DataDir = None,
    output: Annotated[
        str | None,
        typer.Option(help="New folder for the results, or s3://…, gs://…", show_default="results/STUDY"),
    ] = None,
) -> None:
    """Search STUDY's space for the configuration of the best validation accuracy."""
    fixed = _parse_set(set_ or [])
    from tautune._tune import tune as run_tune

    run_tune(
        study,
        search=search,
        scheduler=scheduler,
        trials=trials,
        max_epochs=max_epochs,
        fixed=fixed,
        folds=folds,
        repeats=repeats,
        examples=examples,
        concurrent=concurrent,
        time_budget=time_budget,
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
        seed=seed,
        split_seed=split_seed,
        data_dir=data_dir,
        output=output,
        progress=_progress(),
    )


def _progress() -> Any:
    from tautune.commands.tuning_progress import TuningProgress

    return TuningProgress(Console(), started=STARTED)


@tuning_commands.command()
def resume(folder: Folder) -> None:
    """Go on with a tuning that was stopped, or whose machine was lost."""
    from tautune._tune import resume as run_resume

    run_resume(folder, progress=_progress())


@tuning_commands.command()
def extend(
    folder: Folder,
    trials: Annotated[int, typer.Option(min=1, help="Configurations to try more.")],
) -> None:
    """Try more configurations, with what the search has learned."""
    from tautune._tune import extend as run_extend

    run_extend(folder, trials, progress=_progress())


@tuning_commands.command()
def results(
    folder: Folder,
    top: Annotated[int, typer.Option(min=1, help="Configurations to show.")] = 10,
    sort: Annotated[
        str | None,
        typer.Option(help="A column of trials.csv or a hyperparameter; -NAME for descending.", show_default="the best"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show the best configurations that were found."""
    from tautune.commands.tuning_tables import results_table
    from tautune.records.storage import folder_at
    from tautune.records.tuning_folder import read_tuning
    from tautune.runners.trials import read_rows, sorted_rows

    path = folder_at(folder)
    read_tuning(path)
    rows = read_rows(path)
    rows = sorted_rows(rows, sort) if sort else rows
    if as_json:
        for row in rows[:top]:
            print(json.dumps(row))
    else:
        Console().print(results_table(rows, top=top))


@tuning_commands.command()
def refit(
    folder: Folder,
    again: Annotated[bool, typer.Option("--again", help="Do so although the test images were used before.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Train the best configuration on all training images; evaluate it once on the test images."""
    from tautune._tune import refit as run_refit

    display = _progress()
    test = run_refit(folder, again=again, data_dir=data_dir, progress=display)
    display.say(f"test accuracy {test['test_accuracy']:.4f} on {test['test_images']} images")
    display.say(f"{folder}: model.pt, test.json")


@tuning_commands.command()
def predict(
    folder: Folder,
    images: Annotated[list[Path], typer.Argument(help="Image files, or .npy arrays of the model's input shape.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Say which class each image is of, by the model that `tautune refit` trained."""
    from tautune._tune import predict as run_predict

    predictions = run_predict(folder, images)
    if as_json:
        for prediction in predictions:
            print(json.dumps(asdict(prediction)))
        return
    table = Table("file", "class", "probability")
    for prediction in predictions:
        table.add_row(prediction.file, prediction.label, f"{prediction.probability:.3f}")
    Console().print(table)


def _no_number(text: str) -> None:
    raise InputError(f"--set takes finite numbers, not {text}")


def _parse_set(texts: list[str]) -> dict[str, Any]:
    """Returns the values by name: each text is NAME=VALUE, the value JSON (8, 0.1, true, null) or else a word."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"--set takes NAME=VALUE, as in --set delay=8, not {text!r}")
        try:
            found[name] = json.loads(value, parse_constant=_no_number)
        except json.JSONDecodeError:
            found[name] = value
    return found
