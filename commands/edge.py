"""The command that follows trainings to their delay's edge of stability."""

import json
from typing import Annotated

import typer

from tautune._edge import carry_out
from tautune.commands.checking import checked
from tautune.commands.edge_display import EdgeDisplay
from tautune.commands.help_texts import MEASURE, examples
from tautune.commands.next_steps import print_next_steps
from tautune.commands.options import Device, StabilityStudyName, parameters, parse_delays
from tautune.commands.screen import screen
from tautune.commands.theory import Json
from tautune.records.errors import InputError
from tautune.records.storage import output_folder, typed
from tautune.runners.edge import EDGE_DELAYS, Edge
from tautune.trainables.edge.names import EDGE_OPTIMIZERS

edge_command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@edge_command.command(rich_help_panel=MEASURE, epilog=examples("edge"))
def edge(
    study: StabilityStudyName = "digits_squared",
    optimizer: Annotated[str, typer.Option(help=", ".join(EDGE_OPTIMIZERS) + ".")] = "sgd",
    delays: Annotated[str, typer.Option(help="Delays τ in steps, separated by commas.")] = ",".join(
        map(str, EDGE_DELAYS)
    ),
    learning_rates: Annotated[
        str | None,
        typer.Option(help="At every delay, separated by commas.", show_default="one for each delay; adaptive: 0.002"),
    ] = None,
    steps: Annotated[int, typer.Option(help="Optimizer steps of each training.")] = 4000,
    seeds: Annotated[int, typer.Option(help="Trainings with other initial weights.")] = 3,
    decay: Annotated[float, typer.Option(help="β₂ of adam and nadam, α of rmsprop.")] = 0.999,
    output: Annotated[
        str | None, typer.Option(help="Folder for the results, or s3://…, gs://….", show_default="results/edge-STUDY…")
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train STUDY from random weights at every delay, and see whether it settles on the delay's edge of stability."""
    wanted_delays, rates = parse_delays(delays), _parse_rates(learning_rates)
    with parameters():
        wanted = Edge(
            study=study,
            optimizer=optimizer,
            delays=wanted_delays,
            learning_rates=rates,
            steps=steps,
            seeds=seeds,
            decay=decay,
            device=device,
        )
    checked()
    display = EdgeDisplay(screen(stderr=as_json))
    with parameters(InputError):
        edges = carry_out(wanted, output_folder(output, wanted.folder_name), display)
    display.ended(edges)
    if as_json:
        print(json.dumps(edges.as_json()))
    elif edges.path:
        print_next_steps([("board", typed(edges.path))], display.console)


def _parse_rates(text: str | None) -> tuple[float, ...]:
    if text is None:
        return ()
    try:
        return tuple(sorted({float(piece) for piece in text.split(",")}))
    except ValueError:
        raise InputError(f"--learning-rates must be numbers above 0, separated by commas, not {text!r}") from None
