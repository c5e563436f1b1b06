"""Measures what a long run costs: memory, open files and disk space while thousands of short trials go by.

    python -m benchmarks.load [--json] [--trials 10000] [--concurrent 2]

One run of `tautune tune`, whose trials train a linear classifier for one epoch of 205 images, so that the training is
not what is measured. Every ten seconds the processes of the run are looked at: the driver, Ray's own (the head's), and
those of the trials. The last line of the table says by how much each figure grows for every 1,000 trials, fitted to the
second half of the run.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.record import keep
from benchmarks.timing import environment
from tautune.records.journal import FILE

SECONDS = 10.0
"""Pause in seconds between two looks: a run of 10,000 trials takes a quarter of an hour."""
STUDY = """
from dataclasses import replace
from torch import nn
from tautune.search_spaces import digits_mlp

def model(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

NAMES = ("optimizer", "learning_rate", "momentum", "l2")
SPACE = {name: digits_mlp.STUDY.space[name] for name in NAMES} | {"batch_size": 256}
STUDY = replace(digits_mlp.STUDY, name="short", model=model, space=SPACE)
"""
Figures = dict[str, float]


def watch(process: subprocess.Popen[str], folder: Path) -> tuple[list[Figures], set[psutil.Process]]:
    """Returns what the run's processes and its folder look like, from its start to its end, and all its processes."""
    driver, begun, rows = psutil.Process(process.pid), time.perf_counter(), []
    seen: set[psutil.Process] = set()
    while process.poll() is None:
        children = driver.children(recursive=True)
        seen |= set(children)
        if (folder / FILE).exists():
            rows.append({"seconds": time.perf_counter() - begun} | _look(driver, children, folder))
        time.sleep(SECONDS)
    return rows, seen


def _look(driver: psutil.Process, children: list[psutil.Process], folder: Path) -> Figures:
    trials = [child for child in children if _name(child).startswith("ray::")]
    others = [child for child in children if child not in trials]
    return {
        "trials": (folder / FILE).read_bytes().count(b'"end"'),
        "driver_mib": _memory([driver]),
        "ray_mib": _memory(others),
        "trial_mib": _memory(trials),
        "driver_files": driver.num_fds(),
        "processes": 1 + len(children),
        "folder_mib": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20,
    }


def _name(process: psutil.Process) -> str:
    try:
        return str((process.cmdline() or [""])[0])
    except psutil.Error:
        return ""


def _memory(processes: list[psutil.Process]) -> float:
    """Returns the memory in MiB that the processes have to themselves."""
    total = 0
    for process in processes:
        try:
            total += process.memory_full_info().uss
        except psutil.Error:
            continue  # it has just ended
    return total / 2**20


def growth(rows: list[Figures]) -> Figures:
    """Returns by how much each figure grows for 1,000 trials, over the second half of the rows."""
    half = rows[len(rows) // 2 :]
    trials = [row["trials"] for row in half]
    return {
        name: 1000 * statistics.linear_regression(trials, [row[name] for row in half]).slope
        for name in rows[0]
        if name != "trials"
    }


def run(trials: int, concurrent: int, folder: Path) -> dict[str, Any]:
    """Runs so many trials, and returns the figures."""
    (folder / "short.py").write_text(STUDY)
    options = ["--trials", str(trials), "--max-epochs", "1", "--search", "random", "--scheduler", "none"]
    options += ["--concurrent", str(concurrent), "--examples", "256", "--output", str(folder / "run")]
    begun = time.perf_counter()
    with (folder / "log").open("w+") as log:
        command = [sys.executable, "-m", "tautune", "tune", "short.py", *options]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, text=True, env=environment())
        rows, seen = watch(process, folder / "run")
        seconds = time.perf_counter() - begun
        if process.returncode:
            raise RuntimeError(f"the run failed: {(folder / 'log').read_text()[-2000:]}")
    written = (folder / "run/trials.csv").read_bytes().count(b"\n") - 1
    if written != trials:
        raise RuntimeError(f"{written} rows came of {trials} trials")
    time.sleep(5)
    left = [_name(process) for process in seen if process.is_running()]
    return {"rows": rows, "seconds": seconds, "growth": growth(rows), "processes_left": left}


def main(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    trials: Annotated[int, typer.Option(min=1000, help="Trials of the run.")] = 10_000,
    concurrent: Annotated[int, typer.Option(min=1, help="Trials at the same time.")] = 2,
) -> None:
    """Measure a run of many trials."""
    with tempfile.TemporaryDirectory() as name:
        figures = run(trials, concurrent, Path(name))
    figures["seconds_a_trial"] = figures["seconds"] / trials
    keep("load", figures | {"ratios": {}}, as_json=as_json)
    if not as_json:
        Console(width=120).print(as_table(figures["rows"], figures["growth"]))
        Console().print(f"{figures['seconds']:.0f} s; left running: {figures['processes_left'] or 'nothing'}")


def as_table(rows: list[Figures], growing: Figures) -> Table:
    """Returns about ten of the rows, and how the figures grow."""
    table = Table(*rows[0])
    step = max(1, len(rows) // 10)
    for row in [*rows[::step], rows[-1]]:
        table.add_row(*(f"{value:,.0f}" for value in row.values()))
    table.add_section()
    table.add_row(*("for 1,000" if name == "trials" else f"{growing[name]:+.1f}" for name in rows[0]))
    return table


if __name__ == "__main__":
    typer.run(main)
