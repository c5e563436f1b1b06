"""A tuning's folder on disk: what was asked for in run.json, and what was found beside it."""

from typing import Any

from tautune.records.errors import InputError
from tautune.records.files import read_json, write_json
from tautune.records.folder_lock import FolderLock, Held
from tautune.records.storage import Folder, make, reason

Json = dict[str, Any]
FORMAT = 2
"""Of run.json and trials.jsonl; raised when an older folder cannot be read any more."""


def read_tuning(folder: Folder) -> Json:
    """run.json. Raises InputError if the folder holds no tuning, or one of another version."""
    if not (folder / "run.json").is_file():
        raise InputError(f"{folder} holds no run.json; give a folder that `tautune tune --output` wrote")
    run = read_json(folder / "run.json")
    configuration = run.get("configuration")
    if not isinstance(configuration, dict) or configuration.get("kind") != "tuning":
        raise InputError(f"{folder} holds no tuning; give a folder that `tautune tune --output` wrote")
    if configuration.get("format") != FORMAT:
        version = run.get("versions", {}).get("tautune", "of another version")
        raise InputError(
            f"{folder} was written by another version of tautune ({version}): its format is "
            f"{configuration.get('format', 1)}, and this one reads {FORMAT}; use that version, or tune anew"
        )
    if not {"study", "space", "set", "seed"} <= set(configuration) or not run.get("runs"):
        raise InputError(f"{folder / 'run.json'} is damaged: a part of it is missing; tune anew")
    return run


def read_best(folder: Folder) -> Json:
    """best.json. Raises InputError if no trial has got that far."""
    if not (folder / "best.json").is_file():
        raise InputError(f"{folder} has no best.json: no trial of it reported without diverging or failing")
    best = read_json(folder / "best.json")
    if not {"trial", "config", "epochs", "history"} <= set(best):
        raise InputError(f"{folder / 'best.json'} is damaged: a part of it is missing; `tautune resume` writes it anew")
    return best


def check_new(output: Folder) -> Folder:
    """The folder, resolved. Raises InputError if it holds something."""
    output = output.resolve()
    if set("*?[") & set(str(output)):
        raise InputError(f"--output: {output} has one of * ? [ in it, and Ray could not find its files again")
    if (output / "run.json").is_file():
        raise InputError(f"--output: {output} holds a run; go on with it by `tautune resume`, or give a new folder")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"--output: {output} exists and is not an empty folder; give a new one")
    return output


def make_folder(output: Folder) -> None:
    """Raises InputError if it cannot be made."""
    try:
        make(output)
    except OSError as error:
        raise InputError(f"--output: {output} cannot be written: {reason(error)}") from None


class TuningFolder:
    """The folder while one process writes it; another one is refused until it ends, however it ends.

    Args:
        configuration: of a new tuning; without it, run.json is read when nobody else can write it any more.
    """

    def __init__(self, path: Folder, configuration: Json | None = None) -> None:
        if configuration is None:
            read_tuning(path)  # what is no tuning gets no lock file
        self.path = path.resolve()
        self.run: Json = {"configuration": configuration} if configuration else {}

    def __enter__(self) -> "TuningFolder":
        try:
            self._lock = FolderLock(self.path)
        except Held:
            raise InputError(f"{self.path} is being written by another run; wait for its end") from None
        except OSError as error:
            raise InputError(f"{self.path} cannot be written: {reason(error)}") from None
        self.run = self.run or read_tuning(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def begin(self, **entries: Any) -> None:
        """Adds a run to run.json: each has a `tune`, a resume or an extension of its own."""
        self.run.setdefault("runs", []).append(entries)
        write_json(self.path / "run.json", self.run)

    def end(self, **entries: Any) -> None:
        self.run["runs"][-1] |= entries
        write_json(self.path / "run.json", self.run)
