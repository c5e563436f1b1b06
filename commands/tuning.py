"""The commands of tuning: tune, resume, extend, refit, predict; see `results.py` for what they found."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tautune import _tune, _tuned
from tautune.commands.checking import checked, is_only_checked
from tautune.commands.options import parameters
from tautune.commands.started import STARTED
from tautune.commands.tuning_display import TuningDisplay
from tautune.commands.typed_values import parse_limits, parse_point, parse_set
from tautune.records.errors import InputError, user_input
from tautune.records.storage import folder_at
from tautune.records.tuning_folder import read_tuning
from tautune.runners.earlier_run import WHICH
from tautune.runners.methods import SCHEDULERS, SEARCHES
from tautune.runners.tuning_checks import Options, check_more, check_study, options_among
from tautune.search_spaces.names import check_name
from tautune.trainables.goal import ACCURACY, goal_of_study

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


Study = Annotated[str, typer.Argument(help="One of `tautune studies`, or a file of your own: path/to/my_study.py.")]
Search = Annotated[str | None, _choice("--search", SEARCHES, "How configurations are chosen")]
Scheduler = Annotated[str | None, _choice("--scheduler", SCHEDULERS, "What ends a trial early")]
Trials = Annotated[int | None, _from_study("Configurations to try.")]
MaxEpochs = Annotated[int | None, _from_study("Epochs of a trial at most; of a loop of your own, its reports.")]
Fixed = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Fix a hyperparameter: --set delay=8. May be repeated."),
]
Folds = Annotated[int, typer.Option(min=1, help="Cross-validate each configuration on so many folds.")]
Repeats = Annotated[int, typer.Option(min=1, help="Splits, or divisions into folds, to average over.")]
Examples = Annotated[int | None, _from_study("Training examples at most, a fixed part of them.", min=1)]
Concurrent = Annotated[int | None, typer.Option(min=1, help="Trials at once at most.")]
TimeBudget = Annotated[float | None, typer.Option(help="Seconds after which no trial goes on.")]
Cpus = Annotated[float, typer.Option(help="CPU cores that a trial takes.")]
Gpus = Annotated[float, typer.Option(help="GPUs that a trial takes; fractions share one.")]
Seed = Annotated[int, typer.Option(min=0, max=2**31, help="Seed of the search and of the initial weights.")]
SplitSeed = Annotated[
    int, typer.Option(min=0, max=2**31, help="Seed of the splits: runs with other --seed share their splits.")
]
Trust = Annotated[
    bool, typer.Option("--trust", help="Run the study's file that DIR names, even where DIR may be somebody else's.")
]
StartFrom = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Try first what an earlier run of this space, or of a related one, found.",
        show_default=False,
    ),
]
StartPoints = Annotated[str, typer.Option(metavar="best|all", help="Which of its configurations.")]
Points = Annotated[
    list[str] | None,
    typer.Option(
        "--point", metavar="JSON", help="""Try this first: --point '{"learning_rate": 0.1}'. May be repeated."""
    ),
]
Goals = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[:min|max]",
        help="What trials are compared by; several make a Pareto front.",
        show_default="the study's",
    ),
]
AtMost = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=NUMBER", help="What a trial is above is never the best: --at-most epoch_seconds=2."),
]
Output = Annotated[
    str | None, typer.Option(help="New folder for the results, or s3://…, gs://…", show_default="results/STUDY")
]


@tuning_commands.command()
def tune(
    study: Study,
    search: Search = None,
    scheduler: Scheduler = None,
    trials: Trials = None,
    max_epochs: MaxEpochs = None,
    set_: Fixed = None,
    folds: Folds = 1,
    repeats: Repeats = 1,
    examples: Examples = None,
    concurrent: Concurrent = None,
    time_budget: TimeBudget = None,
    cpus_per_trial: Cpus = 1,
    gpus_per_trial: Gpus = 0,
    seed: Seed = 0,
    split_seed: SplitSeed = 0,
    data_dir: DataDir = None,
    start_from: StartFrom = None,
    start_points: StartPoints = "best",
    point: Points = None,
    goal: Goals = None,
    at_most: AtMost = None,
    output: Output = None,
) -> None:
    """Search STUDY's space for the configuration of the best validation accuracy, or of a loop's best metric."""
    given = locals()
    points = (*_earlier(start_from, start_points), *map(parse_point, point or []))
    with parameters(InputError):
        aims = {"goals": tuple(goal or ()), "at_most": parse_limits(at_most or [])}
        asked = options_among(given | aims, fixed=parse_set(set_ or []), points_to_evaluate=points)
    _run(study, asked, output)


def _earlier(start_from: str | None, which: str) -> tuple[dict[str, Any], ...]:
    """Returns the configurations of an earlier run; those of one on the cluster are left to the job that is sent."""
    if start_from and is_only_checked() and not folder_at(start_from).is_dir():
        with user_input():
            check_name("start_points", which, WHICH)
        return ()
    return _tune.starting_points(start_from, which)


def _run(study: str, asked: Options, output: str | None) -> None:
    check_study(study, asked)
    checked()
    _tune.carry_out(study, asked, output, _display())


def _display() -> TuningDisplay:
    return TuningDisplay(Console(), started=STARTED)


@tuning_commands.command()
def resume(folder: Folder, trust: Trust = False) -> None:
    """Go on with a tuning that was stopped, or whose machine was lost."""
    _tuned.resume(folder, trust=trust, progress=_display())


@tuning_commands.command()
def extend(
    folder: Folder,
    trials: Annotated[int | None, typer.Option(min=1, help="Configurations to try more.", show_default=False)] = None,
    longer: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs (a loop's reports) that each finished trial trains more.", show_default=False),
    ] = None,
    trust: Trust = False,
) -> None:
    """Try more configurations, with what the search has learned, or train the finished trials longer."""
    with parameters(InputError):
        check_more(trials, longer)
    _tuned.extend(folder, trials, longer=longer, trust=trust, progress=_display())


@tuning_commands.command()
def refit(
    folder: Folder,
    again: Annotated[bool, typer.Option("--again", help="Do so although the test examples were used before.")] = False,
    data_dir: DataDir = None,
    trust: Trust = False,
) -> None:
    """Train the best configuration on all that is not for the test; evaluate it once on the test examples."""
    display = _display()
    test = _tuned.refit(folder, again=again, data_dir=data_dir, trust=trust, progress=display)
    goal = goal_of_study(read_tuning(folder_at(folder))["configuration"])
    if goal.is_of_a_loop:
        display.say(", ".join(f"{name} {value:.5g}" for name, value in test.items()))
        display.say(f"{folder}: test.json")
    elif goal != ACCURACY:
        name = goal.metric.replace("validation_", "test_")
        display.say(f"{name.replace('_', ' ')} {test[name]:.5g}")
        display.say(f"{folder}: model.pt, test.json")
    else:
        display.say(f"test accuracy {test['test_accuracy']:.4f} on {test['test_images']} images")
        display.say(f"{folder}: model.pt, test.json")
