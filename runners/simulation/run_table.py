"""Reads a table of trainings from the folder of a finished tuning: the whole curves, where it has a journal."""

import csv
import io
from collections.abc import Iterator
from typing import Any, Literal, NotRequired, TypedDict

from tautune.records.errors import InputError, user_input
from tautune.records.run_file import RUN_FILE, read_run
from tautune.records.storage import Folder, reading
from tautune.records.typed import Misshapen, shaped
from tautune.runners.methods import POPULATION
from tautune.runners.simulation.csv_table import PREFIX, parsed
from tautune.runners.simulation.table import Config, Report, Table, Training, trainings_of
from tautune.runners.tuning_checks import is_whole
from tautune.runners.tuning_journal import events_of, seen_by_schedulers
from tautune.search_spaces.names import check_name
from tautune.trainables.goal import Goal, goal_in

Json = dict[str, Any]


class _Configuration(TypedDict):
    kind: Literal["tuning"]
    scheduler: str
    metric: NotRequired[str]
    mode: NotRequired[Literal["max", "min"]]


class _Run(TypedDict):
    """The part of run.json that every version of tautune has written."""

    configuration: _Configuration
    runs: list[Json]


def read_run_table(folder: Folder, metric: str | None) -> Table:
    """Returns the trainings of a tuning.

    Args:
        folder: that `tautune tune` wrote.
        metric: None stands for the one that the tuning compared its trials by, and there is no other.

    Raises:
        InputError: the folder holds no tuning, or one that has not come to its end, or a population.
    """
    run = read_run(folder)
    try:
        shaped(run, _Run)
    except Misshapen as error:
        raise InputError(
            f"{folder / RUN_FILE} is not of a tuning: {error}; give a folder that `tautune tune` wrote"
        ) from None
    kept = run["configuration"]
    goal = goal_in(kept)
    if metric is not None:
        with user_input():
            check_name(f"{folder}: the metric", metric, [goal.metric])
    if kept["scheduler"] in POPULATION:
        raise InputError(f"{folder} is a population, whose trials change their configurations; give another run")
    if not is_whole(folder, run):
        raise InputError(f"{folder} was stopped before its end; go on with it by `tautune resume {folder}`")
    curves = _of_journal(folder, goal)
    if curves:
        note = (
            ""
            if kept["scheduler"] == "none"
            else (
                f"its own scheduler, {kept['scheduler']}, ended some trainings early, "
                "and they end there in the simulation too"
            )
        )
        return Table(name=str(folder), goal=goal, trainings=tuple(curves), unit="seconds", note=note)
    curves = _of_rows(folder, goal)
    note = "it keeps each trial's best epoch, not its whole curve: a training's best value until then is replayed"
    return Table(name=str(folder), goal=goal, trainings=tuple(curves), unit="seconds", note=note)


def _of_journal(folder: Folder, goal: Goal) -> list[Training]:
    """Returns the curves that the journal has; of a configuration that was tried twice, the longer one."""
    configs: dict[str, Config] = {}
    curves: dict[str, list[Report]] = {}
    for event in events_of(folder):
        if "result" not in event:
            continue
        trial, reported = event["result"], seen_by_schedulers(event["reported"])
        configs[trial] = event.get("hyperparameters") or configs.get(trial, {})
        report = Report(float(reported["epochs"]), float(reported[goal.metric]), float(reported["time_total_s"]))
        curve = curves.setdefault(trial, [])
        if not curve or report.epoch > curve[-1].epoch:  # a loop that went on may repeat one
            curve.append(report)
    found: dict[str, Training] = {}
    for trial, curve in curves.items():
        key = repr(sorted(configs[trial].items()))
        if key not in found or len(curve) > len(found[key].curve):
            found[key] = Training(configs[trial], tuple(curve))
    return list(found.values())


def _of_rows(folder: Folder, goal: Goal) -> list[Training]:
    """Returns what trials.csv tells of the curves: the best value so far, at the best epoch and at the last one.

    A training of 5 epochs is the beginning of the same one of 20, unless a schedule goes over the epochs: so the curve
    of the longer one has the points of the shorter.
    """
    rows = list(_rows(folder))
    if not rows:
        raise InputError(f"{folder} has no trials to replay: trials.csv is missing or empty")
    trainings: list[Training] = []
    for config, row in rows:
        pace = row["seconds"] / row["epochs_trained"]
        points: dict[float, float] = {}
        for other, shorter in rows:
            if shorter["epochs_trained"] <= row["epochs_trained"] and _is_beginning(other, config):
                for epoch in (shorter["epochs"], shorter["epochs_trained"]):
                    points[float(epoch)] = float(shorter[goal.metric])
        reports = [(config, Report(epoch, value, pace * epoch)) for epoch, value in points.items()]
        trainings += trainings_of(str(folder), reports)
    return list({repr(sorted(training.config.items())): training for training in trainings}.values())


def _is_beginning(shorter: Config, config: Config) -> bool:
    constant = config.get("schedule", "constant") == "constant" and not config.get("warmup")
    length = {"epochs"} if constant else set()
    return {n: v for n, v in shorter.items() if n not in length} == {n: v for n, v in config.items() if n not in length}


def _rows(folder: Folder) -> Iterator[tuple[Config, Json]]:
    """Yields the configuration and the columns of every trial."""
    file = folder / "trials.csv"
    with reading(file):
        text = file.read_text() if file.is_file() else ""
    for line in csv.DictReader(io.StringIO(text)):
        row = {name: parsed(value) for name, value in line.items()}
        yield {n.removeprefix(PREFIX): v for n, v in row.items() if n.startswith(PREFIX) and v is not None}, row
