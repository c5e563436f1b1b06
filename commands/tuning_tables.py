"""The tables of a tuning: its configurations, and how much each hyperparameter mattered."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from tautune.runners.trials import BAD, Json, marked, name_of
from tautune.trainables.goal import ACCURACY, Goal

if TYPE_CHECKING:
    from tautune.analysis.importance import Importance


def as_score(row: Json, goal: Goal) -> str:
    """Returns a row's metric as it is shown."""
    return f"{row[goal.metric]:.4f}" if goal == ACCURACY else f"{row[goal.metric]:.5g}"


def results_table(rows: list[Json], goal: Goal, *, top: int) -> Table:
    """Returns the first `top` configurations, one a row; what all of them share stands below."""
    loss = ["loss"] if "validation_loss" in goal.ties else []
    table = Table("trial", goal.words, *loss, *dict(goal.others), goal.unit, "state", "configuration")
    table.title = "best configurations"
    rows = marked(rows, goal)
    every = [set(map(repr, row["config"].items())) for row in rows]
    shared = set.intersection(*every) if len(every) > 1 else set()
    for row in rows[:top]:
        own = {k: v for k, v in row["config"].items() if repr((k, v)) not in shared}
        spread = row.get(f"{goal.metric}_deviation", 0) if goal.scores else 0
        shown = f"{spread:.4f}" if goal == ACCURACY else f"{spread:.2g}"
        score = as_score(row, goal) + (f" ± {shown}" if spread else "")
        losses = [f"{row['validation_loss']:.4f}"] if loss else []
        others = [f"{row[name]:.5g}" for name, _ in goal.others]
        table.add_row(name_of(row), score, *losses, *others, str(row["epochs"]), _state(row, goal), _words(own))
    if shared:
        table.caption = "all: " + _words({k: v for k, v in rows[0]["config"].items() if repr((k, v)) in shared})
    return table


def _state(row: Json, goal: Goal) -> str:
    """Returns what became of a trial, and where it stands among several goals and within limits."""
    above = [] if row["state"] in BAD or goal.is_feasible(row) else ["above a limit"]
    return ", ".join([row["state"], *above, *(["on the front"] if row.get("on_front") else [])])


def _words(config: dict[str, Any]) -> str:
    words = (f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in config.items())
    return escape(", ".join(words))


def importance_table(found: "Importance", goal: Goal) -> Table:
    """Returns the importances, one hyperparameter a row, the most important one first."""
    table = Table("hyperparameter", "PED-ANOVA", "fANOVA")
    table.title = f"importance for {goal.words}"
    for name, share in found.pedanova.items():
        by_variance = found.fanova.get(name)
        table.add_row(escape(name), f"{share:.3f}", "" if by_variance is None else f"{by_variance:.3f}")
    return table


def importance_notes(found: "Importance") -> Iterator[str]:
    """Yields what has to be known to read the importances, in lines."""
    diverged = f"; {found.diverged} diverged, and count as the worst of the others" if found.diverged else ""
    yield (
        f"PED-ANOVA: for being among the best {found.best} of {found.trials} trials; "
        f"fANOVA: for the variance among all{diverged}"
    )
    for name, why in found.left_out.items():
        yield f"left out: {name}: {why}"
