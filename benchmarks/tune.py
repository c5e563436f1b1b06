"""Times nine trainings on Fashion-MNIST, one epoch each: tautune, Ray Tune's tutorial, and a plain script.

    python -m benchmarks.tune [--json] [--repetitions 2]

All programs train the same small CNN at 3 learning rates × 3 mini-batch sizes, with Adam on 50,000 images, and validate
it on 10,000. They run in turn, and each is timed from start to end, on every core. Since their random numbers differ,
accuracies are compared by their spread over the combinations.
"""

import csv
import gzip
import json
import shutil
import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.record import keep
from benchmarks.timing import compared, in_turn, run_module
from tautune.trainables.supervised.data_files import IDX_FILES, MNIST_KINDS, mnist_folder
from tautune.trainables.supervised.datasets import load

STUDY = "fashion_mnist_grid"
Accuracies = dict[tuple[float, int], float]


def ours(folder: Path) -> float:
    shutil.rmtree(folder, ignore_errors=True)
    return run_module("tautune", "tune", STUDY, "--max-epochs", 1, "--output", folder)


def unpack(folder: Path) -> Path:
    """Unpacks the data set as torchvision wants it, before the programs start."""
    load("fashion_mnist")  # found, or downloaded, and checked
    found = mnist_folder(MNIST_KINDS["fashion_mnist"])
    assert found is not None
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for file in IDX_FILES:
        (raw / file.removesuffix(".gz")).write_bytes(gzip.decompress((found / file).read_bytes()))
    return folder


def accuracies(file: Path) -> Accuracies:
    if file.suffix == ".json":
        peers: list[dict[str, Any]] = json.loads(file.read_text())
        return {(row["learning_rate"], row["batch_size"]): row["accuracy"] for row in peers}
    rows = csv.DictReader(file.open())
    return {
        (float(row["config/learning_rate"]), int(row["config/batch_size"])): float(row["validation_accuracy"])
        for row in rows
    }


def main(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    repetitions: Annotated[int, typer.Option(min=1, help="Runs of each program.")] = 2,
) -> None:
    """Time the nine trainings."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = unpack(folder / "data")
        peers = {peer: folder / f"{peer}.json" for peer in ("ray_tutorial", "torch_script")}
        programs = {"tautune": partial(ours, folder / "tautune")} | {
            peer: partial(run_module, f"benchmarks.peers.{peer}", data, file) for peer, file in peers.items()
        }
        figures = compared(in_turn(programs, repetitions))
        files = {"tautune": folder / "tautune" / "trials.csv"} | peers
        found = {name: accuracies(file) for name, file in files.items()}
    if len({frozenset(own) for own in found.values()}) != 1 or len(found["tautune"]) != 9:
        raise RuntimeError(f"the programs did not train the same nine combinations: {found}")
    good = [key for key in found["tautune"] if key[0] == 0.001]  # the others do not all train
    figures["accuracy_at_0.001"] = {
        name: {"mean": statistics.fmean(own[k] for k in good), "spread": statistics.stdev(own[k] for k in good)}
        for name, own in found.items()
    }
    figures["best_accuracy"] = {name: max(own.values()) for name, own in found.items()}
    keep("tune", figures, as_json=as_json)
    if not as_json:
        for peer, ratio in figures["ratios"].items():
            Console().print(f"tune: {peer} takes {ratio:.2f} times as long", highlight=False)


if __name__ == "__main__":
    typer.run(main)
