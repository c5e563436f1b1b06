"""A tuning's folder on disk: what was asked for in run.json, and what was found beside it."""

from typing import Any

from tautune.records.errors import InputError
from tautune.records.files import read_json
from tautune.records.run_file import RUN_FILE, check_writable, holds_files, read_run
from tautune.records.run_folder import RunFolder
from tautune.records.storage import Folder, make, reading, writing

Json = dict[str, Any]
FORMAT = 2
"""Version of run.json and trials.jsonl; it is raised when older folders can no longer be read."""


def read_tuning(folder: Folder) -> Json:
    """Returns run.json. Raises InputError if the folder holds no tuning, or one of another version."""
    run = read_run(folder)
    configuration = run["configuration"]
    if configuration.get("kind") != "tuning":
        raise InputError(f"{folder} holds no tuning; give a folder that `tautune tune` wrote")
    if configuration.get("format") != FORMAT:
        version = run.get("versions", {}).get("tautune", "of another version")
        raise InputError(
            f"{folder} was written by another version of tautune ({version}): its format is "
            f"{configuration.get('format', 1)}, and this one reads {FORMAT}; use that version, or tune anew"
        )
    if not {"study", "space", "set", "seed"} <= set(configuration) or not run.get("runs"):
        raise InputError(f"{folder / RUN_FILE} is damaged: a part of it is missing; tune anew")
    return run


def read_best(folder: Folder) -> Json:
    """Returns best.json. Raises InputError if no trial has got that far."""
    file = folder / "best.json"
    with reading(file):
        there = file.is_file()
    if not there:
        raise InputError(f"{folder} has no best.json: every trial diverged, failed or ended before it could report")
    best = read_json(file)
    if not {"trial", "config", "epochs", "history"} <= set(best):
        raise InputError(f"{file} is damaged: a part of it is missing; `tautune resume` writes it anew")
    return best


def check_new(output: Folder) -> Folder:
    """Returns the folder, resolved, if a new tuning can begin in it. Raises InputError if not."""
    output = output.resolve()
    if set("*?[") & set(str(output)):
        raise InputError(f"{output} has one of * ? [ in it, and Ray could not find its files again; give another name")
    with reading(output):
        begun, other = (output / RUN_FILE).is_file(), output.exists() and not output.is_dir()
    if begun:
        raise InputError(f"{output} holds a run; go on with it by `tautune resume`, or give a new folder")
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
