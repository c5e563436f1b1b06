"""Tables of trainings for the tests of simulations."""

from pathlib import Path

from tautune.runners.simulation.csv_table import read_csv
from tautune.runners.simulation.table import Table
from tests.runners.simulation.curves import CURVES


def table_csv() -> str:
    """Returns the curves as CSV: an epoch takes a second with width 8, and two with width 16."""
    lines = ["learning_rate,width,epoch,seconds,accuracy"]
    for (rate, width), curve in CURVES.items():
        lines += [f"{rate},{width},{epoch},{epoch * width / 8},{value}" for epoch, value in enumerate(curve, 1)]
    return "\n".join(lines) + "\n"


def a_table(folder: Path) -> Table:
    (folder / "table.csv").write_text(table_csv())
    return read_csv(folder / "table.csv", "accuracy", "max")
