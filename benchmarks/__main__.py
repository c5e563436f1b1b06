"""Runs the benchmarks, one after another, and prints one table of their ratios.

python -m benchmarks [sweep threshold step theory tune loop scale]
"""

import json
import subprocess
import sys

from rich.console import Console
from rich.table import Table

NAMES = ("sweep", "threshold", "step", "theory", "tune", "loop", "scale")


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        sys.exit(f"benchmark {unknown[0]!r} is unknown; there are {', '.join(NAMES)}")
    table = Table("benchmark", "compared with tautune", "ratio")
    console = Console()
    failed = []
    for name in names or NAMES:
        with console.status(name):
            done = subprocess.run(
                [sys.executable, "-m", f"benchmarks.{name}", "--json"], stdout=subprocess.PIPE, text=True
            )
        if done.returncode:
            failed.append(name)
            continue
        for what, ratio in json.loads(done.stdout)["ratios"].items():
            table.add_row(name, what, f"{ratio:.3g}")
    console.print(table)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
