"""Every command line of `tautune` in the manual is one that the command accepts, and the quick ones are run."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tautune.commands.app import app
from tests.docs.pages import PAGES, blocks, text_of

TAUTUNE = typer.main.get_command(app)
WORDS = re.compile(r"(?:\.venv/bin/|python -m )?tautune(?: |$)")


def lines(page: str) -> list[str]:
    """Returns the command lines in a page's shell blocks, and those in its text that begin with `tautune`."""
    in_blocks = [line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
    in_text = re.findall(r"`(tautune [^`]*)`", re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.M))
    return [" ".join(line.split()) for line in [*in_blocks, *in_text] if WORDS.match(line)]


def refusal(line: str) -> str | None:
    """Returns why a command line is none; None if it is one, or the mere name of a command."""
    arguments = shlex.split(WORDS.sub("", line, count=1), comments=True)
    context = TAUTUNE.make_context("tautune", arguments.copy())
    try:
        name, command, rest = context.command.resolve_command(context, arguments)  # type: ignore[attr-defined]
        if rest:
            command.make_context(name, rest, parent=context)
    except typer.exceptions.TyperException as error:
        return f"{line}: {error.format_message()}"
    return None


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_a_page_are_accepted(page: str) -> None:
    assert [why for line in lines(page) if (why := refusal(line))] == []


QUICK = [line for page in PAGES for line in lines(page) if re.match(r"tautune (threshold|advise|studies) ?", line)]
SAID = [
    found
    for page in PAGES
    for found in re.findall(r"^```sh\n(tautune .*)\n```\n\n```text\n(.*?)```", text_of(page), re.M | re.S)
]


@pytest.mark.parametrize("line", sorted({line for line in QUICK if " --" in line or line.endswith("studies")}))
def test_quick_commands_run(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("trace.csv").write_text("delay\n0\n2\n7\n")
    done = CliRunner().invoke(app, shlex.split(line, comments=True)[1:])
    assert (done.exit_code, done.exception) == (0, None)


@pytest.mark.parametrize(("line", "said"), SAID)
def test_the_answer_on_the_page_is_what_the_command_says(line: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    done = CliRunner().invoke(app, shlex.split(line)[1:])
    assert [row.rstrip() for row in done.stdout.splitlines()] == said.splitlines()


def test_commands_are_found_and_wrong_ones_are_refused() -> None:
    assert len(lines("README.md")) > 5
    assert "tautune sweep examples/own_minimum.py --delays 0,2,8" in lines("docs/own_study.md")
    assert refusal("tautune tune digits_mlp  # comment") is None
    assert "No such option: --trails" in (refusal("tautune tune digits_mlp --trails 3") or "")
    assert "No such command" in (refusal("tautune tuen digits_mlp") or "")
