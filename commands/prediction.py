"""The command `tautune predict`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from tautune import _tuned
from tautune.commands.fitted_table import print_whole
from tautune.commands.help_texts import RESULTS, examples
from tautune.commands.screen import working
from tautune.records.errors import InputError
from tautune.records.files import write_bytes

if TYPE_CHECKING:
    from tautune.runners.prediction import Prediction

prediction_command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
INPUTS = (
    "Pictures, or inputs as .npy in the shape and scale of the training data (of the built-in images, 0 to 255); a CSV "
    "of inputs, or of a series until now; a text to continue."
)
Folder = Annotated[str, typer.Argument(metavar="DIR", help="A folder that `tautune refit` has put a model into.")]
Study = Annotated[
    str | None, typer.Option(help="The file of the model's study, if it is not a built-in one; its code runs.")
]


@prediction_command.command(rich_help_panel=RESULTS, epilog=examples("predict"))
def predict(
    folder: Folder,
    files: Annotated[list[Path] | None, typer.Argument(help=INPUTS, show_default=False)] = None,
    study: Study = None,
    output: Annotated[Path | None, typer.Option(help="File for what is predicted, instead of the screen.")] = None,
    text: Annotated[str | None, typer.Option(help="A text that a language model continues.")] = None,
    length: Annotated[int, typer.Option(min=1, help="Tokens that a language model writes.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of a language model's draws.")] = 0,
    temperature: Annotated[float, typer.Option(min=0, help="Lower ones take likelier tokens; 0 the likeliest.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Predict with the model that `tautune refit` trained: classes, numbers, the steps or the text that follow."""
    if output is not None and not output.parent.is_dir():
        raise InputError(f"--output: there is no folder {output.parent}")
    with working(f"predicting with the model of {folder}", stderr=as_json):
        found = _tuned.predict(
            folder, files or [], text=text, length=length, seed=seed, temperature=temperature, study=study
        )
    if isinstance(found, str):
        written = json.dumps({"text": found}) + "\n" if as_json else found + "\n"
    elif isinstance(found, list):
        if not as_json and output is None:
            _show(found)
            return
        written = _lines([asdict(prediction) for prediction in found])
    else:
        written = _lines(found.as_dicts()) if as_json else found.as_csv()
    if output is None:
        print(written, end="")
    else:
        write_bytes(output, written.encode())
        Console().print(str(output), soft_wrap=True, highlight=False, markup=False)


def _lines(objects: list[dict[str, object]]) -> str:
    return "".join(json.dumps(each) + "\n" for each in objects)


def _show(predictions: "list[Prediction]") -> None:
    table = Table("file", "class", Column("probability", no_wrap=True))
    for prediction in predictions:
        table.add_row(prediction.file, prediction.label, f"{prediction.probability:.3f}")
    print_whole(Console(), table)
