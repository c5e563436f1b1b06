"""Shows results in TensorBoard, here or on a cluster's head."""

import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from tautune.commands.help_texts import RESULTS, examples
from tautune.records.board_view import IN_ALL, MOST, BoardView
from tautune.records.errors import InputError

REFRESH_SECONDS, REFRESH_SHARE = 5.0, 20
"""Pause between two looks for new events in seconds at least, and as a multiple of the time that a look takes."""
HOW = "?smoothing=0"
"""Curves are shown as they are."""
board_command = typer.Typer()


@board_command.command(rich_help_panel=RESULTS, epilog=examples("board"))
def board(
    folder: Annotated[
        str | None,
        typer.Argument(help="A results folder, or a folder that contains several.", show_default="results"),
    ] = None,
    cluster: Annotated[
        Path | None, typer.Option("--cluster", help="File of the cluster whose head holds the results.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0 picks a free one.")] = 6006,
    most: Annotated[int, typer.Option(min=1, max=IN_ALL, help="Trials of a run that are shown, the best ones.")] = MOST,
) -> None:
    """Show results in TensorBoard, here or on a cluster's head."""
    if cluster is not None:
        from tautune.cluster.remote.board import show_board
        from tautune.cluster.remote.cluster_file import read_cluster_file

        show_board(read_cluster_file(cluster), folder, port=port, console=Console())
        return
    from tautune.records.storage import reading, results_folder

    results = results_folder(folder)
    with reading(results):
        if not results.is_dir():
            raise InputError(f"there is no folder {results}; give one that a sweep, a grid or a tuning wrote")
    from tautune.cluster.remote.head import check_port

    check_port(port)
    with TemporaryDirectory(prefix="tautune-board-") as view, suppress(KeyboardInterrupt):
        shown = BoardView(results, Path(view), most)
        damaged = shown.refresh()
        called = str(results if results.name not in ("", "..") else results.resolve())  # "." is no name
        address = _start(view, port, f"tautune {called}")
        left_out = sum(shown.left_out.values())
        many = f", the best {shown.each} trials of each run ({left_out} are left out)" if left_out else ""
        print(f"{address}{HOW} shows {called}{many}; Ctrl-C ends it", flush=True)
        while True:
            for line in damaged:
                print(f"tautune: {line}", file=sys.stderr)
            begun = time.monotonic()
            damaged = shown.refresh()
            time.sleep(max(REFRESH_SECONDS, REFRESH_SHARE * (time.monotonic() - begun)))


def _start(logs: str, port: int, title: str) -> str:
    """Starts TensorBoard in this process, and its reader in another one, which ends with it. Returns the address."""
    with _silently():
        warnings.simplefilter("ignore")
        from tensorboard import default, program

        for name in ("tensorboard", "werkzeug", "absl"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        server = program.TensorBoard(plugins=default.get_plugins())
        options = {
            "host": "127.0.0.1",
            "port": str(port),
            "logdir": logs,
            "window_title": title,
            "reload_interval": "5",
        }
        server.configure(["tensorboard", *(f"--{name}={value}" for name, value in options.items())])
        address: str = server.launch()
    return address


@contextmanager
def _silently() -> Iterator[None]:
    """Keeps what TensorBoard and its processes write of themselves from the terminal."""
    sys.stderr.flush()
    ours = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(ours, 2)
        os.close(ours)
        os.close(nowhere)
