"""A tuning's folder on disk: what was asked for in run.json, and what was found beside it."""

from typing import Annotated, Any, Literal, NotRequired, TypedDict, cast, get_args

from tautune.records.errors import InputError
from tautune.records.files import read_json
from tautune.records.run_file import RUN_FILE, Kind, check_writable, holds_files, kind_in, read_run
from tautune.records.run_folder import RunFolder
from tautune.records.storage import Folder, make, reading, writing
from tautune.records.typed import Count, FileName, Meta, Misshapen, NotNegative, Object, Positive, shaped

Json = dict[str, Any]
FORMAT = 2
"""Version of run.json and trials.jsonl; it is raised when older folders can no longer be read."""


class _Task(TypedDict):
    name: str
    metric: str
    mode: Literal["max", "min"]
    metrics: list[str]


class _Configuration(TypedDict):
    study: str
    space: Object
    set: Object
    search: str
    scheduler: str
    trials: Count
    max_epochs: Count
    concurrent: Count | None
    time_budget: Positive | None
    folds: Count
    repeats: Count
    examples: Count | None
    cpus_per_trial: float
    gpus_per_trial: float
    seed: int
    split_seed: int
    data_dir: str | None
    points: NotRequired[list[Object]]
    goals: NotRequired[list[str]]
    at_most: NotRequired[dict[str, float]]
    metric: NotRequired[str]
    mode: NotRequired[Literal["max", "min"]]
    penalty: NotRequired[NotNegative]
    task: NotRequired[_Task]
    workers: NotRequired[Object]
    stages: NotRequired[Object]


class _Command(TypedDict):
    experiment: FileName
    trials: Count
    finished: NotRequired[str]
    stopped_by_budget: NotRequired[bool]
    longer: NotRequired[Count]
    lengthened: NotRequired[list[str]]


class _TuningRun(TypedDict):
    configuration: _Configuration
    runs: Annotated[list[_Command], Meta(min_length=1)]


class _Best(TypedDict):
    trial: FileName
    number: NotRequired[Count | None]
    config: Object
    epochs: Count
    history: list[Object]


def read_tuning(folder: Folder) -> Json:
    """Returns run.json. Raises InputError if the folder holds no tuning, or one of another version."""
    run = read_run(folder)
    configuration = run["configuration"]
    if configuration.get("kind") != "tuning":
        kind = kind_in(run)
        other = f" but a {kind}, which `tautune report` shows" if kind in get_args(Kind) else ""
        raise InputError(f"{folder} holds no tuning{other}; give a folder that `tautune tune` wrote")
    if configuration.get("format") != FORMAT:
        version = run.get("versions", {}).get("tautune", "of another version")
        raise InputError(
            f"{folder} was written by another version of tautune ({version}): its format is "
            f"{configuration.get('format', 1)}, and this one reads {FORMAT}; use that version, or tune anew"
        )
    try:
        shaped(run, _TuningRun)
    except Misshapen as error:
        raise InputError(f"{folder / RUN_FILE} is damaged: {error}; tune anew") from None
    return run


def read_best(folder: Folder) -> Json:
    """Returns best.json. Raises InputError if no trial has got that far."""
    file = folder / "best.json"
    with reading(file):
        there = file.is_file()
    if not there:
        raise InputError(f"{folder} has no best.json: every trial diverged, failed or ended before it could report")
    again = (
        "`tautune transfer` makes such a folder anew" if _is_transferred(folder) else "`tautune resume` writes it anew"
    )
    return cast("Json", read_json(file, _Best, remedy=again))


def _is_transferred(folder: Folder) -> bool:
    """Returns whether the folder has what `transfer` made of another one's best, and no trials."""
    try:
        return "transferred" in read_run(folder)
    except InputError:
        return False


def check_new(output: Folder) -> Folder:
    """Returns the folder, resolved, if a new tuning can begin in it. Raises InputError if not."""
    output = output.resolve()
    if set("*?[") & set(str(output)):
        raise InputError(f"{output} has one of * ? [ in it, and Ray could not find its files again; give another name")
    with reading(output):
        begun, other = (output / RUN_FILE).is_file(), output.exists() and not output.is_dir()
    if begun:
        carried = _is_transferred(output)
        way_on = "refit what it carries by `tautune refit`" if carried else "go on with it by `tautune resume`"
        raise InputError(f"{output} holds a run; {way_on}, or give a new folder")
    if other or holds_files(output):
        raise InputError(f"{output} exists and is not an empty folder; give a new one")
    check_writable(output)
    return output


def make_folder(output: Folder) -> None:
    """Makes the folder. Raises InputError if that fails."""
    with writing(output):
        make(output)


class TuningFolder(RunFolder):
    """See `RunFolder`.

    Args:
        configuration: of a new tuning, for which the folder must be new or empty; None goes on with the tuning in it.
    """

    kind = "tuning"

    def __init__(self, path: Folder, configuration: Json | None = None) -> None:
        self.new = configuration is not None
        super().__init__(path, configuration or {})

    def _read(self) -> Json:
        if self.new:
            check_new(self.path)
            return {"configuration": self.configuration}
        return read_tuning(self.path)
