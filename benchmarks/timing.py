"""Programs timed from their start to their end, in turn."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def environment() -> dict[str, str]:
    """Of the programs: this source tree, one thread a process, as Ray gives its workers."""
    return os.environ | {"PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "token", "OMP_NUM_THREADS": "1"}


def run_module(module: str, *arguments: object) -> float:
    """Seconds that `python -m module …` took, imports included.

    Raises:
        RuntimeError: it failed; with the end of what it printed.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {(done.stdout + done.stderr)[-2000:]}")
    return seconds


def in_turn(
    programs: Mapping[str, Callable[[], float]], repetitions: int, once: Collection[str] = ()
) -> dict[str, list[float]]:
    """Seconds of every program, by its name, one repetition after another; those in `once` in the first alone."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for repetition in range(repetitions):
        for name, program in programs.items():
            if not repetition or name not in once:
                seconds[name].append(program())
    return seconds


def compared(seconds: Mapping[str, list[float]], ours: str = "tautune") -> dict[str, Any]:
    """Ratios of the medians, peer over ours, and the medians, extremes and raw seconds they are from."""
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "ratios": {name: median / medians[ours] for name, median in medians.items() if name != ours},
        "medians_seconds": medians,
        "fastest_and_slowest_seconds": {name: [min(times), max(times)] for name, times in seconds.items()},
        "seconds": dict(seconds),
    }
