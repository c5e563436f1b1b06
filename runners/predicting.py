"""What a refitted model says, whatever its task: of images and of the rows of a table, of a series, of a text."""

from pathlib import Path

from tautune.records.errors import InputError
from tautune.records.storage import Folder
from tautune.runners.continuation import Continuation
from tautune.runners.prediction import Prediction, predict
from tautune.runners.refitted import read_refitted
from tautune.runners.table_prediction import forecast, predict_rows
from tautune.runners.tables import Table
from tautune.runners.text_prediction import continue_text
from tautune.search_spaces.tuning_study import TuningStudy


def predict_by_task(
    folder: Folder, files: list[Path], continuation: Continuation, study: TuningStudy | None
) -> list[Prediction] | Table | str:
    """Returns a prediction for each image, a table for a table or a series, or a text for a text.

    Raises:
        InputError: there is no model, a file is not what its task takes, or its outputs are not finite.
    """
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
