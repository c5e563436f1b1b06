"""How TensorBoard copes with a tuning of 2,000 trials: what is written, and how long until it is shown.

    python -m benchmarks.board [--trials 2000] [--reports 30] [--s3] [--plain]

The trials are made up; they are written by what writes them in a run. Shown means that TensorBoard answers with the
curves of a trial, from the moment in which `tautune board` was typed. `--s3` also keeps them in a bucket of the S3
server that the tests use. `--plain` measures TensorBoard alone on the same folder, where it shows no curve by itself:
it selects none of more than 500 names. Each is given two minutes.
"""

import json
import os
import random
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from ray import tune

from benchmarks.record import keep
from tautune.records.board_view import MOST
from tautune.records.storage import Folder, folder_at
from tautune.runners.trials import Trials
from tautune.runners.tuning_board import STUDY, TuningBoard
from tautune.search_spaces.space import as_text
from tautune.trainables.goal import ACCURACY
from tests import s3_server

Json = dict[str, Any]
PATIENCE_SECONDS = 120
SPACE = {
    "optimizer": tune.choice(["adam", "nesterov"]),
    "learning_rate": tune.loguniform(1e-4, 1),
    "batch_size": tune.choice([16, 32, 64]),
    "momentum": tune.uniform(0.5, 0.95),
}
CONFIGURATION = {"study": "made up", "space": {name: as_text(entry) for name, entry in SPACE.items()}}
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/")


def report(accuracy: float, epoch: int) -> Json:
    """Returns what a trial reports of an epoch."""
    scores = {"validation_accuracy": accuracy, "validation_loss": 1 - accuracy, "training_loss": 0.9 - accuracy / 2}
    known = {"learning_rate": 0.1, "epoch_seconds": 1.5, "examples_per_second": 1e4, "hostname": "here", "failure": ""}
    ended = {"diverged": 0, "failed": 0, "diverged_step": -1, "history": [], "time_total_s": 1.5 * epoch}
    return (
        scores | known | ended | {"training_accuracy": accuracy, "validation_accuracy_deviation": 0.0, "epochs": epoch}
    )


def write(folder: Folder, count: int, reports: int) -> Json:
    """Writes the trials. Returns the processor's time for a report, and how long all took with the trials' table."""
    trials, draw = Trials(folder, SPACE, total=count, goal=ACCURACY), random.Random(0)
    begun, seconds = time.perf_counter(), 0.0
    board = TuningBoard(folder, CONFIGURATION, ACCURACY)
    board.begin(trials)
    for number in range(1, count + 1):
        config = {name: entry.sample() for name, entry in SPACE.items()}
        best = draw.uniform(0.1, 0.99)
        for epoch in range(1, reports + 1):
            result = report(best * (1 - 0.8**epoch), epoch)
            row = trials.report(str(number), number, config, result)
            at = time.process_time()
            board.reported(number, config, result, row)
            seconds += time.process_time() - at
        board.ended(trials.end(str(number), finished=True) or {}, trials)
    board.close(trials)
    trials.write()
    return {
        "cpu_microseconds_a_report": round(1e6 * seconds / count / reports, 1),
        "seconds_in_all": round(time.perf_counter() - begun, 1),
    }


def size(folder: Folder) -> Json:
    """Returns how many files there are and how many bytes they have."""
    if isinstance(folder, Path):
        sizes = [file.stat().st_size for file in folder.glob("tensorboard/*/*")]
    else:
        sizes = [about["size"] for about in folder.fs.find(f"{folder.path}/tensorboard", detail=True).values()]
    return {"files": len(sizes), "bytes": sum(sizes)}


def shown(command: list[str], names: int) -> Json:
    """Returns the seconds until a TensorBoard says its address, has so many names, and answers with a curve."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found: Json = {}
    try:
        assert process.stdout
        address = next(match[0] for line in process.stdout if (match := ADDRESS.search(line)))
        found = {"seconds_to_the_address": round(time.perf_counter() - begun, 1)}
        while time.perf_counter() - begun < PATIENCE_SECONDS:
            runs = _json(f"{address}data/runs") or []
            if len(runs) >= names and _curve(address, next(run for run in runs if run != STUDY)):
                return found | {"seconds_until_shown": round(time.perf_counter() - begun, 1), "names": len(runs)}
            time.sleep(0.1)
        return found | {"seconds_until_shown": None, "names": len(runs)}
    finally:
        process.terminate()
        process.wait()


def _json(address: str) -> Any:
    with suppress(OSError), urllib.request.urlopen(address, timeout=60) as answer:
        return json.load(answer)
    return None


def _curve(address: str, run: str) -> Any:
    asked = urllib.parse.urlencode({"run": run, "tag": "1 validation/accuracy"})
    return _json(f"{address}data/plugin/scalars/scalars?{asked}")


def main(
    trials: Annotated[int, typer.Option(min=1)] = 2000,
    reports: Annotated[int, typer.Option(min=1)] = 30,
    s3: Annotated[bool, typer.Option("--s3")] = False,
    plain: Annotated[bool, typer.Option("--plain")] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    figures: Json = {"trials": trials, "reports": reports}
    with ExitStack() as stack:
        local = Path(stack.enter_context(TemporaryDirectory()))
        places: dict[str, Folder] = {"local": local}
        if s3:
            os.environ |= s3_server.environment()
            stack.enter_context(s3_server.s3_server(Path(stack.enter_context(TemporaryDirectory()))))
            places["s3"] = folder_at(f"s3://{s3_server.BUCKET}/run")
        for name, folder in places.items():
            own: Json = {"written": write(folder, trials, reports) | size(folder)}
            board = [sys.executable, "-m", "tautune", "board", str(folder), "--port", "0"]
            own["tautune board"] = shown(board, min(trials, MOST) + 1)
            if plain:
                logs = [
                    sys.executable,
                    "-m",
                    "tensorboard.main",
                    "--host",
                    "127.0.0.1",
                    "--port",
                    "0",
                    "--logdir",
                    f"{folder}/tensorboard",
                ]
                own["tensorboard alone"] = shown(logs, trials + 1)
            figures[name] = own
            print(json.dumps({name: own}), file=sys.stderr)
    keep("board", figures, as_json=as_json)


if __name__ == "__main__":
    typer.run(main)
