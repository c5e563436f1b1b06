"""A table fits into a terminal of any width, and is whole where there is no terminal."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console
from rich.table import Table

from tautune.analysis.importance import Importance
from tautune.commands import advice, probe, simulate
from tautune.commands.fitted_table import Column, fitted_table, print_whole
from tautune.commands.tuning_tables import importance_table
from tautune.trainables.goal import ACCURACY
from tautune.trainables.theory.advice import advise
from tests.analysis.reports.test_probe import probed
from tests.analysis.reports.test_simulation import REGRET
from tests.commands.terminal import SIZES, screen_of

NAMES = (
    *("attention_dropout_probability", "weight_decay", "label_smoothing"),
    *("warmup", "gradient_clipping_norm", "final_learning_rate_share"),
)
COLUMNS = [
    Column("trial", ["01", "02"]),
    Column("validation accuracy", ["0.9688 ★", "0.9012"]),
    Column("epoch", ["17 of 30", "3 of 3"], rank=1),
    *(Column(name, ["1.5e-3", "cosine"], rank=2) for name in NAMES),
]


@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_a_row_is_one_line_and_what_is_worth_most_stays(columns: int, lines: int) -> None:
    screen, terminal = screen_of(columns, lines)
    print_whole(screen.console, fitted_table(COLUMNS, screen.console, best=0))
    *headings, first, second = terminal.frame
    assert all(len(line) <= columns for line in terminal.frame)
    assert first.split()[:3] == ["01", "0.9688", "★"]
    assert second.split()[:2] == ["02", "0.9012"]
    assert "17 of 30" in first
    assert "…" not in first
    shown = [name for name in NAMES if name.split("_")[0] in "\n".join(headings)]
    assert shown == list(NAMES[: len(shown)])
    assert len(shown) == {120: 6, 80: 5, 40: 1}[columns]


def test_a_pipe_gets_all_of_it_in_lines_that_nothing_breaks() -> None:
    pipe = io.StringIO()
    console = Console(file=pipe)
    wide = [*COLUMNS, Column("note", ["y" * 200, "z"], rank=3)]
    print_whole(console, fitted_table(wide, console, title=f"a title {'z' * 300}"))
    lines = pipe.getvalue().splitlines()
    assert lines[0] == f"a title {'z' * 300}"
    assert "y" * 200 in lines[-2]
    assert not set(pipe.getvalue()) & set("│┃━─\x1b")


def test_no_more_lines_than_there_is_room() -> None:
    screen, terminal = screen_of(80, 24)
    many = [Column("trial", [str(number) for number in range(50)])]
    screen.console.print(fitted_table(many, screen.console, room=7))
    assert len(terminal.frame) == 7
    screen, terminal = screen_of(10, 5)
    screen.console.print(fitted_table(COLUMNS, screen.console, room=1))
    assert len(terminal.frame) <= 2


TABLES: dict[str, Callable[[Console], Table]] = {
    "advise": lambda console: advice._table(advise({0: 0.5, 20: 0.5}), 2.5, console),
    "probe": lambda console: probe._table(probed(delays=[0, 2, 1000]), console),
    "simulate": lambda console: simulate._table(REGRET, console),
    "importance": lambda console: importance_table(
        Importance(dict.fromkeys(NAMES, 0.25), dict.fromkeys(NAMES, 0.5), {}, 20, 0, 4), ACCURACY, console
    ),
}


@pytest.mark.parametrize("columns", [30, 60, 80, 120])
@pytest.mark.parametrize("command", TABLES)
def test_a_number_is_whole_or_is_not_there(command: str, columns: int) -> None:
    pipe = Console(file=(whole := io.StringIO()))
    print_whole(pipe, TABLES[command](pipe))
    screen, terminal = screen_of(columns, 60)
    print_whole(screen.console, TABLES[command](screen.console))
    shown = "\n".join(terminal.frame)
    assert "…" not in shown
    numbers = {word for word in shown.split() if word.replace(".", "").isdigit()}
    assert numbers
    assert numbers <= set(whole.getvalue().split())
