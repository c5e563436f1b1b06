"""Times programs from start to end, in turn."""

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
    """Returns the programs' environment: this source tree, and one thread a process, as Ray gives its workers."""
    return os.environ | {"PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "token", "OMP_NUM_THREADS": "1"}


def run_module(module: str, *arguments: object) -> float:
    """Returns the seconds that `python -m module …` took, imports included.

    Raises:
        RuntimeError: it failed; the message ends with the last of what it printed.
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
    """Returns the seconds of every program by its name; the programs take turns, and those in `once` run only once."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for repetition in range(repetitions):
        for name, program in programs.items():
            if not repetition or name not in once:
                seconds[name].append(program())
    return seconds


def compared(seconds: Mapping[str, list[float]], ours: str = "tautune") -> dict[str, Any]:
    """Returns the ratios of the medians, peer over ours, with the medians, the extremes and the raw seconds."""
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "ratios": {name: median / medians[ours] for name, median in medians.items() if name != ours},
        "medians_seconds": medians,
        "fastest_and_slowest_seconds": {name: [min(times), max(times)] for name, times in seconds.items()},
        "seconds": dict(seconds),
    }
