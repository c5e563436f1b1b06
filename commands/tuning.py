"""The commands of tuning: tune, resume, extend, refit, predict; see `results.py` for what they found."""

import json
from typing import Annotated, Any

import typer

from tautune import _tune, _tuned
from tautune._tuning_result import TuningResult
from tautune.commands.checking import checked, is_only_checked
from tautune.commands.help_texts import MEASURE, examples
from tautune.commands.next_steps import after_tuning, print_next_steps
from tautune.commands.options import parameters
from tautune.commands.screen import screen
from tautune.commands.tuning_display import TuningDisplay
from tautune.commands.tuning_options import (
    AtMost,
    Concurrent,
    Cpus,
    DataDir,
    DataDirOfRefit,
    Examples,
    Fixed,
    Folder,
    Folds,
    Goals,
    Gpus,
    MaxEpochs,
    Output,
    Points,
    Repeats,
    Scheduler,
    Search,
    Seed,
    SplitSeed,
    StartFrom,
    StartPoints,
    Study,
    TimeBudget,
    Trials,
    Trust,
)
from tautune.commands.typed_values import parse_limits, parse_point, parse_set
from tautune.commands.worker_options import (
    Slowdown,
    StageCount,
    StageCpus,
    Stashing,
    WorkerCount,
    WorkerCpus,
    WorkerGpus,
    WorkerMode,
    places_among,
)
from tautune.records.errors import InputError, user_input
from tautune.records.storage import folder_at
from tautune.records.tuning_folder import read_tuning
from tautune.runners.earlier_run import WHICH
from tautune.runners.tuning_checks import Options, check_more, check_study, options_among
from tautune.search_spaces.names import check_name
from tautune.trainables.goal import ACCURACY, goal_of_study

tuning_commands = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]


@tuning_commands.command(rich_help_panel=MEASURE, epilog=examples("tune"))
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
    workers: WorkerCount = None,
    mode: WorkerMode = None,
    slowdown: Slowdown = None,
    cpus_per_worker: WorkerCpus = None,
    gpus_per_worker: WorkerGpus = None,
    stages: StageCount = None,
    stashing: Stashing = None,
    cpus_per_stage: StageCpus = None,
    data_dir: DataDir = None,
    start_from: StartFrom = None,
    start_points: StartPoints = "best",
    point: Points = None,
    goal: Goals = None,
    at_most: AtMost = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Search STUDY's space for the configuration of the best validation accuracy, or of a loop's best metric."""
    asked = _asked(locals())
    _tell(_tune.carry_out(study, asked, output, _display(as_json)), as_json)


def _asked(given: dict[str, Any]) -> Options:
    """Returns what the options of `tune` ask for, once all was checked that can be without Ray."""
    points = (*_earlier(given["start_from"], given["start_points"]), *map(parse_point, given["point"] or []))
    with parameters(InputError):
        aims = {"goals": tuple(given["goal"] or ()), "at_most": parse_limits(given["at_most"] or [])}
        fixed = parse_set(given["set_"] or [])
        asked = options_among(given | places_among(given) | aims, fixed=fixed, points_to_evaluate=points)
    check_study(given["study"], asked)
    checked()
    return asked


def _earlier(start_from: str | None, which: str) -> tuple[dict[str, Any], ...]:
    """Returns the configurations of an earlier run; those of one on the cluster are left to the job that is sent."""
    if start_from and is_only_checked() and not folder_at(start_from).is_dir():
        with user_input():
            check_name("start_points", which, WHICH)
        return ()
    return _tune.starting_points(start_from, which)


def _display(as_json: bool) -> TuningDisplay:
    return TuningDisplay(screen(stderr=as_json))


def _tell(result: TuningResult, as_json: bool) -> None:
    """Prints what was found as JSON, or what can be done with it."""
    if as_json:
        print(json.dumps(result.as_json()))
        return
    print_next_steps(after_tuning(result.path), screen().console)


@tuning_commands.command(rich_help_panel=MEASURE, epilog=examples("resume"))
def resume(folder: Folder, trust: Trust = False, as_json: AsJson = False) -> None:
    """Go on with a tuning that was stopped, or whose machine was lost."""
    _tell(_tuned.resume(folder, trust=trust, progress=_display(as_json)), as_json)


@tuning_commands.command(rich_help_panel=MEASURE, epilog=examples("extend"))
def extend(
    folder: Folder,
    trials: Annotated[int | None, typer.Option(min=1, help="Configurations to try more.", show_default=False)] = None,
    longer: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs (a loop's reports) that each finished trial trains more.", show_default=False),
    ] = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Try more configurations, with what the search has learned, or train the finished trials longer."""
    with parameters(InputError):
        check_more(trials, longer)
    result = _tuned.extend(folder, trials, longer=longer, trust=trust, progress=_display(as_json))
    _tell(result, as_json)


@tuning_commands.command(rich_help_panel=MEASURE, epilog=examples("refit"))
def refit(
    folder: Folder,
    again: Annotated[bool, typer.Option("--again", help="Do so although the test examples were used before.")] = False,
    data_dir: DataDirOfRefit = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Train the best configuration on all that is not for the test; evaluate it once on the test examples."""
    display = _display(as_json)
    test = _tuned.refit(folder, again=again, data_dir=data_dir, trust=trust, progress=display)
    if as_json:
        print(json.dumps(test))
        return
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
