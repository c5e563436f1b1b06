"""The commands of tuning: tune, resume, extend, results, refit, predict."""

import json
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tautune.records.errors import InputError, user_input

STARTED = time.monotonic()
"""Of the command, or very nearly."""
IMPORTS = ("torch", "pandas", "hyperopt.hp", "sklearn.model_selection")
"""What a tuning takes longest to import."""

tuning_commands = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Folder = Annotated[str, typer.Argument(metavar="DIR", help="A folder that `tautune tune` wrote, or s3://…, gs://…")]
DataDir = Annotated[Path | None, typer.Option(help="Where data sets are looked for first.")]


@tuning_commands.command()
def tune(
    study: Annotated[str, typer.Argument(help="One of `tautune studies`, or your own: path/to/my_study.py.")],
    search: Annotated[
        str | None, typer.Option(help="grid, random, hyperopt, optuna-tpe, gp or cmaes [default: the study's].")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="none, asha, hyperband, median, pbt or pb2 [default: the study's].")
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Configurations to try [default: the study's].")] = None,
    max_epochs: Annotated[int | None, typer.Option(help="Epochs of a trial at most [default: the study's].")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Fix a hyperparameter: --set delay=8. May be repeated."),
    ] = None,
    folds: Annotated[int, typer.Option(min=1, help="Cross-validate each configuration on so many folds.")] = 1,
    repeats: Annotated[int, typer.Option(min=1, help="Splits, or divisions into folds, to average over.")] = 1,
    examples: Annotated[
        int | None, typer.Option(min=1, help="Training images at most, a fixed stratified part [default: the study's].")
    ] = None,
    concurrent: Annotated[int | None, typer.Option(min=1, help="Trials at once at most.")] = None,
    time_budget: Annotated[float | None, typer.Option(help="Seconds after which no trial goes on.")] = None,
    cpus_per_trial: Annotated[float, typer.Option(help="CPU cores a trial takes.")] = 1,
    gpus_per_trial: Annotated[float, typer.Option(help="GPUs a trial takes; fractions share one.")] = 0,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of the search and of the initial weights.")] = 0,
    split_seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of the splits, the same for every --seed.")] = 0,
    data_dir: DataDir = None,
    output: Annotated[
        str | None, typer.Option(help="New folder of the results, or s3://…, gs://… [default: results/STUDY].")
    ] = None,
) -> None:
    """Search STUDY's space for the configuration of the best validation accuracy."""
    for option, value in {"--trials": trials, "--max-epochs": max_epochs, "--time-budget": time_budget}.items():
        if value is not None and not 0 < value < math.inf:
            raise InputError(f"{option} must be above 0, and finite, not {value:g}")
    if cpus_per_trial <= 0:
        raise InputError(f"--cpus-per-trial must be above 0, not {cpus_per_trial:g}")
    if gpus_per_trial < 0 or (gpus_per_trial > 1 and gpus_per_trial % 1):
        raise InputError(f"--gpus-per-trial must be a share of one GPU or a whole number, not {gpus_per_trial:g}")
    fixed = _parse_set(set_ or [])
    from tautune.cluster.session.session import IN_TUNING, ray_session

    with ray_session(meanwhile=IMPORTS, in_workers=IN_TUNING):
        from tautune import search_spaces
        from tautune.records.storage import output_folder
        from tautune.runners.tuning import run_tuning
        from tautune.runners.tuning_job import Tuning

        with user_input():
            chosen = search_spaces.find_tuning(study).setting(fixed)
        if trials is not None and (search or chosen.search) == "grid":
            raise InputError("--trials does not go with --search grid, which tries every configuration")
        tuning = Tuning(
            study=chosen,
            search=search or chosen.search,
            scheduler=scheduler or chosen.scheduler,
            trials=trials or chosen.trials,
            max_epochs=max_epochs or chosen.max_epochs,
            folds=folds,
            repeats=repeats,
            examples=examples or chosen.examples,
            concurrent=concurrent,
            time_budget=time_budget,
            cpus_per_trial=cpus_per_trial,
            gpus_per_trial=gpus_per_trial,
            seed=seed,
            split_seed=split_seed,
            data_dir=data_dir.resolve() if data_dir else None,
            fixed=fixed,
        )
        run_tuning(tuning, output_folder(output, chosen.name), console=Console(), started=STARTED)


@tuning_commands.command()
def resume(folder: Folder) -> None:
    """Go on with a tuning that was stopped, or whose machine was lost."""
    from tautune.records.storage import run_folder
    from tautune.runners.tuning import resume_tuning

    resume_tuning(run_folder(folder), console=Console(), started=STARTED)


@tuning_commands.command()
def extend(
    folder: Folder,
    trials: Annotated[int, typer.Option(min=1, help="Configurations to try more.")],
) -> None:
    """Try more configurations, with what the search has learned."""
    from tautune.records.storage import run_folder
    from tautune.runners.tuning import extend_tuning

    extend_tuning(run_folder(folder), trials, console=Console(), started=STARTED)


@tuning_commands.command()
def results(
    folder: Folder,
    top: Annotated[int, typer.Option(min=1, help="Configurations to show.")] = 10,
    sort: Annotated[
        str, typer.Option(help="A column of trials.csv or a hyperparameter; -NAME for descending.")
    ] = "-validation_accuracy",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show the best configurations that were found."""
    from tautune.records.storage import folder_at
    from tautune.records.tuning_folder import read_tuning
    from tautune.runners.trial_table import read_rows, results_table, sorted_rows

    path = folder_at(folder)
    read_tuning(path)
    rows = sorted_rows(read_rows(path), sort)
    if as_json:
        for row in rows[:top]:
            print(json.dumps(row))
    else:
        Console().print(results_table(rows, top=top))


@tuning_commands.command()
def refit(
    folder: Folder,
    again: Annotated[bool, typer.Option("--again", help="Although the test images were used before.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Train the best configuration on all training images; evaluate it once on the test images."""
    from tautune.records.storage import run_folder
    from tautune.runners.refit import refit as run_refit

    console, path = Console(), run_folder(folder)
    test = run_refit(path, data_dir=data_dir, again=again, console=console)
    console.print(f"test accuracy {test['test_accuracy']:.4f} on {test['test_images']} images", highlight=False)
    console.print(f"{path}: model.pt, test.json", soft_wrap=True, highlight=False)


@tuning_commands.command()
def predict(
    folder: Folder,
    images: Annotated[list[Path], typer.Argument(help="Image files, or .npy arrays of the model's input shape.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Tell the class of images, by the refitted model with its normalization."""
    from tautune.records.storage import folder_at
    from tautune.runners.prediction import predict as run_predict

    predictions = run_predict(folder_at(folder), images)
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
    """NAME=VALUE, the value as JSON where it is JSON (8, 0.1, true, null) and as a word where it is not."""
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
