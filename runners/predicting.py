"""What a refitted model says, whatever its task: of images and of the rows of a table, of a series, of a text."""

from dataclasses import dataclass
from pathlib import Path

from tautune.records.errors import InputError
from tautune.records.storage import Folder
from tautune.runners.prediction import Prediction, predict
from tautune.runners.refitted import read_refitted
from tautune.runners.table_prediction import forecast, predict_rows
from tautune.runners.tables import Table
from tautune.runners.text_prediction import continue_text
from tautune.runners.tuning_checks import check_prediction
from tautune.search_spaces.tuning_study import TuningStudy


@dataclass(frozen=True, kw_only=True)
class Continuation:
    """How a text is continued.

    Raises:
        InputError: one of the values is out of its bounds.
    """

    text: str | None = None
    """The text; None means that it is in a file."""
    length: int = 200
    """How many tokens are written."""
    seed: int = 0
    """Seed of the draws."""
    temperature: float = 1.0
    """By which logits are divided before a token is drawn; 0 takes the most probable one."""

    def __post_init__(self) -> None:
        for name, least in (("length", 1), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise InputError(f"{name} must be an integer of at least {least}, not {value!r}")
        if not 0 <= self.temperature < float("inf"):
            raise InputError(f"temperature must be finite and at least 0, not {self.temperature!r}")


def predict_by_task(
    folder: Folder, files: list[Path], continuation: Continuation, study: TuningStudy | None
) -> list[Prediction] | Table | str:
    """Returns a prediction for each image, a table for a table or a series, or a text for a text.

    Raises:
        InputError: there is no model, a file is not what its task takes, or its outputs are not finite.
    """
    check_prediction(folder, files)
    if not files and continuation.text is None:
        raise InputError("give a file to predict with, or --text (text=…) for a model of a text to continue")
    is_table = len(files) == 1 and files[0].suffix == ".csv"
    refitted = read_refitted(folder, study=study)
    task = refitted.kept.get("task", {})
    if "symbols" in task:
        text = continuation.text if continuation.text is not None else _text_in(_only(files))
        length, seed = continuation.length, continuation.seed
        return continue_text(refitted, text, length=length, seed=seed, temperature=continuation.temperature)
    if continuation.text is not None:
        raise InputError(f"--text is continued by a model of a tautune.Text; {folder} has another one: give it a file")
    if "horizon" in task:
        return forecast(refitted, _only(files))
    if task or is_table:
        return predict_rows(refitted, _only(files))
    return predict(folder, files, model=study.model if study else None)


def _only(files: list[Path]) -> Path:
    if len(files) != 1:
        raise InputError(f"give one file, not {len(files)}: this model takes a table, a series or a text at a time")
    return files[0]


def _text_in(file: Path) -> str:
    try:
        return file.read_text()
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is no text in UTF-8: {error}") from None
