"""The table of a tuning's configurations."""

from typing import Any

from rich.markup import escape
from rich.table import Table

from tautune.runners.trials import Json, name_of


def results_table(rows: list[Json], *, top: int) -> Table:
    """Returns the first `top` configurations, one a row; what all of them share stands below."""
    table = Table("trial", "validation accuracy", "loss", "epochs", "state", "configuration")
    table.title = "best configurations"
    every = [set(map(repr, row["config"].items())) for row in rows]
    shared = set.intersection(*every) if len(every) > 1 else set()
    for row in rows[:top]:
        own = {k: v for k, v in row["config"].items() if repr((k, v)) not in shared}
        spread = f" ± {row['validation_accuracy_deviation']:.4f}" if row["validation_accuracy_deviation"] else ""
        accuracy = f"{row['validation_accuracy']:.4f}{spread}"
        loss, epochs = f"{row['validation_loss']:.4f}", str(row["epochs"])
        table.add_row(name_of(row), accuracy, loss, epochs, row["state"], _words(own))
    if shared:
        table.caption = "all: " + _words({k: v for k, v in rows[0]["config"].items() if repr((k, v)) in shared})
    return table


def _words(config: dict[str, Any]) -> str:
    words = (f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in config.items())
    return escape(", ".join(words))
