"""What `--help` shows in use is valid, and a shell completes commands, studies and choices."""

import shlex

import pytest
import typer

from tautune.commands import app as cli
from tautune.commands.help_texts import EXAMPLES, LATE, MEASUREMENT, UPDATE
from tests.commands.test_commands import run

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_every_example_is_understood(line: str) -> None:
    name, command, *arguments = shlex.split(line)
    root = typer.main.get_command(cli.app)
    assert name == "tautune"
    assert isinstance(root, typer.core.TyperGroup)
    assert root.commands[command].make_context(command, arguments).params


def test_every_command_stands_in_a_group_and_has_an_example_unless_it_is_plain(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert run(monkeypatch, "--help") == 0
    shown = capsys.readouterr().out
    assert "─ Commands ─" not in shown
    for group in ("Measure and tune", "Look at what was found", "Theory, without a run", "On a cluster"):
        assert group in shown
    plain = {"up", "down", "jobs", "logs", "stop", "fetch"}
    root = typer.main.get_command(cli.app)
    assert isinstance(root, typer.core.TyperGroup)
    assert set(root.commands) == EXAMPLES.keys() | plain


def test_the_options_of_a_tuning_stand_in_groups(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    assert run(monkeypatch, "tune", "--help") == 0
    shown = capsys.readouterr().out
    for group in ("How to search", "What is best", "Examples and their splits", "Time and machine", "Real workers"):
        assert group in shown
    assert "tautune tune digits_mlp --trials 50 --set delay=8" in shown


@pytest.mark.parametrize("command", ["sweep", "grid", "probe", "threshold", "advise"])
def test_options_that_commands_share_stand_in_the_same_groups(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    root = typer.main.get_command(cli.app)
    assert isinstance(root, typer.core.TyperGroup)
    groups = {one.opts[0]: getattr(one, "rich_help_panel", None) for one in root.commands[command].params}
    assert {groups.pop(late) for late in ("--delay", "--delays", "--stages") if late in groups} == {LATE}
    assert groups.pop("--momentum") == UPDATE
    assert groups.pop("--mini-batch", MEASUREMENT) == MEASUREMENT
    assert list(groups.values()).count(None) <= 6
    assert run(monkeypatch, command, "--help") == 0
    assert LATE in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("tautune swe", ["sweep"]),
        ("tautune tune digits", ["digits_mlp"]),
        ("tautune grid qua", ["quadratic"]),
        ("tautune edge digits_s", ["digits_squared"]),
        ("tautune tune digits_mlp --search opt", ["optuna-tpe"]),
        ("tautune tune digits_mlp --scheduler pb", ["pbt", "pb2"]),
    ],
)
def test_a_shell_completes(typed: str, completed: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("_TAUTUNE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split()) - 1))
    run(monkeypatch)
    assert capsys.readouterr().out.split() == completed
