"""The tables of a tuning: its trials, and how much each hyperparameter mattered."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tautune.analysis.trial_names import shorten, value_text
from tautune.commands.fitted_table import Column, fitted_table
from tautune.commands.signs import best_sign, sign
from tautune.runners.trials import BAD, Json, name_of
from tautune.trainables.goal import ACCURACY, Goal

if TYPE_CHECKING:
    from tautune.analysis.importance import Importance


def as_score(row: Json, goal: Goal) -> str:
    """Returns a row's metric as it is shown."""
    return f"{row[goal.metric]:.4f}" if goal == ACCURACY else f"{row[goal.metric]:.5g}"


def when_heading(goal: Goal) -> str:
    """Returns the heading above `when`: "best epoch", since 17 of 30 alone reads as the progress of a trial."""
    return f"best {goal.unit.removesuffix('s')}"


def when(row: Json) -> str:
    """Returns when a trial was at its best, of how long it has trained: "17 of 30"."""
    return f"{row['epochs']} of {row['epochs_trained']}"


def trials_table(
    rows: Sequence[Json],
    goal: Goal,
    varying: Sequence[str],
    console: Console,
    *,
    best: Json | None = None,
    room: int | None = None,
    title: str = "",
) -> Table:
    """Returns a table of trials, one a line, with a column for each hyperparameter that varies.

    Args:
        best: the row that is marked.
        room: the lines that it may take; None for as many as it needs.
    """
    place = next((number for number, row in enumerate(rows) if best is not None and row is best), None)
    scores = [
        f"{_score(row, goal)}{f' {best_sign(console)}' if number == place else ''}" for number, row in enumerate(rows)
    ]
    columns = [
        Column("trial", [Text.assemble(sign(row["state"], console), f" {name_of(row)}") for row in rows]),
        Column(goal.words, scores),
        *(Column(name, [f"{row[name]:.5g}" for row in rows], rank=1) for name, _ in goal.others),
        Column(when_heading(goal), [when(row) for row in rows], rank=2),
        *_hyperparameters(rows, varying),
        Column("state", [_state(row, goal) for row in rows], rank=1 if not goal.is_plain else 5),
    ]
    if "validation_loss" in goal.ties:
        columns.insert(2, Column("loss", [f"{row['validation_loss']:.4f}" for row in rows], rank=4))
    return fitted_table(columns, console, best=place, room=room, title=title)


def shared_words(rows: Sequence[Json], varying: Sequence[str]) -> str:
    """Returns what all trials have in common, and what the short names above the columns stand for."""
    shared = {name: value for name, value in rows[0]["config"].items() if name not in varying} if rows else {}
    same = [f"{name} {value_text(value)}" for name, value in shared.items()]
    short = [f"{letters} is {name}" for name, letters in shorten(varying).items() if letters != name]
    return "; ".join(filter(None, [", ".join(short), f"all: {', '.join(same)}" if same else ""]))


def _hyperparameters(rows: Sequence[Json], varying: Sequence[str]) -> list[Column]:
    short = shorten(varying)
    configs: list[dict[str, Any]] = [row["config"] for row in rows]
    return [
        Column(short[name], [value_text(c[name]) if name in c else "" for c in configs], rank=3) for name in varying
    ]


def _score(row: Json, goal: Goal) -> str:
    spread = row.get(f"{goal.metric}_deviation", 0) if goal.scores else 0
    shown = f"{spread:.4f}" if goal == ACCURACY else f"{spread:.2g}"
    return as_score(row, goal) + (f" ± {shown}" if spread else "")


def _state(row: Json, goal: Goal) -> str:
    """Returns what became of a trial, and where it stands among several goals and within limits."""
    above = [] if row["state"] in BAD or goal.is_feasible(row) else ["above a limit"]
    return ", ".join([row["state"], *above, *(["on the front"] if row.get("on_front") else [])])


def importance_table(found: "Importance", goal: Goal, console: Console) -> Table:
    """Returns the importances, one hyperparameter a row, the most important one first."""
    by_variance = [found.fanova.get(name) for name in found.pedanova]
    columns = [
        Column("hyperparameter", list(found.pedanova), bends=True),
        Column("PED-ANOVA", [f"{share:.3f}" for share in found.pedanova.values()], justify="right"),
        Column("fANOVA", ["" if share is None else f"{share:.3f}" for share in by_variance], 1, "right"),
    ]
    return fitted_table(columns, console, title=f"importance for {goal.words}")


def importance_notes(found: "Importance") -> Iterator[str]:
    """Yields what has to be known to read the importances, in lines."""
    diverged = f"; {found.diverged} diverged, and count as the worst of the others" if found.diverged else ""
    yield (
        f"PED-ANOVA: for being among the best {found.best} of {found.trials} trials; "
        f"fANOVA: for the variance among all{diverged}"
    )
    for name, why in found.left_out.items():
        yield f"left out: {name}: {why}"
