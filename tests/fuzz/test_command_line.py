"""Whatever is typed, the answer is the command's own or one line with exit code 2, and nothing is left half written."""

import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
import typer
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tautune.cluster.session import session
from tautune.commands import app, board
from tautune.records.errors import RunFailed
from tests.commands.bad_input import prepare

CASES = 3000
NO_RAY = "this test starts no Ray"
COMMAND = typer.main.get_command(app.app)
CLUSTERED = {"up", "down", "submit", "jobs", "logs", "stop", "fetch", "doctor"}
"""Commands of a cluster: they are given files that are none, since a good one would be used."""
WORDS = [
    *("", " ", "0", "1", "2", "3", "-1", "-0", "+5", "007", "1_000", "0x10", "1e3", "1e400", "1e-320", "nan", "-inf"),
    *(
        "1" * 400,
        "9" * 19,
        "9",
        "١",
        "½",
        "é",
        "\n",
        "[red]",
        "[/]",
        "{",
        "%s",
        "$HOME",
        "`id`",
        "'",
        "--",
        "-",
        ",",
        "=",
    ),
    *("1,2", "1,,2", "2,1,2", "0:1:2", "1:2:3", "0.1:1:5", "1:0.1:4", "none", "auto", "cpu", "cuda", "True", "null"),
    *("digits", "quadratic", "digits_mlp", "digit", "Digits", "grid", "random", "asha", "pbt", "hyperopt", "gp"),
    *("x=1", "delay=8", "delay=nan", "delay=", "=8", "learning_rate=0.1", "learning_rate=-1", "dropout=2", "model=3"),
    *("a_file", "other", "damaged", "listed", "swept", "broken", "a_study.py", "x.png", "nowhere", "nowhere.py", "new"),
    *(
        ".",
        "..",
        "../..",
        "/",
        "/proc/none",
        "/dev/null",
        "~nouser",
        "~",
        "a" * 300,
        "a/" * 3000,
        "s3://",
        "s3:///a",
        "ftp://a",
    ),
]
"""Values as they are typed by mistake or by a script; the names of files are those of `prepare`."""
values = st.sampled_from(WORDS) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12
)


@st.composite
def command_lines(draw: Any) -> list[str]:
    """Draws a command with options of its own, in any order and number, and values of any kind."""
    name = draw(st.sampled_from(sorted(COMMAND.commands)))  # type: ignore[attr-defined]
    command = COMMAND.commands[name]  # type: ignore[attr-defined]
    words = [name]
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            words += draw(st.lists(values, min_size=0 if draw(st.integers(0, 9)) == 0 else 1, max_size=2))
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    for parameter in draw(st.lists(st.sampled_from(options), max_size=4)) if options else []:
        words.append(draw(st.sampled_from(parameter.opts)))
        if not parameter.is_flag:
            words.append(draw(values))
    if name in CLUSTERED and "--help" not in words:
        words += ["--cluster", draw(st.sampled_from(["a_file", "nowhere", "damaged/run.json", "."]))]
    return words


def _no_ray(*_: object) -> NoReturn:
    raise RunFailed(NO_RAY)


def _no_board(*_: object) -> NoReturn:
    raise SystemExit(0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that one works in, without a Ray to start and without a TensorBoard to start."""
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "_start", _no_ray)
    monkeypatch.setattr(board, "_start", _no_board)
    for name in ("TAUTUNE_STORAGE", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TAUTUNE_DATA", str(tmp_path / "data"))
    return tmp_path


@pytest.mark.timeout(600)
@settings(
    max_examples=CASES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(words=["sweep", "digits", "--output", "a" * 300])
@given(words=command_lines())
def test_a_command_line_is_answered(words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["tautune", *words])
        with pytest.raises(SystemExit) as ended:
            app.main()
    said = capsys.readouterr().err.splitlines()
    if ended.value.code == 1:
        assert said[-1].startswith(f"tautune: {NO_RAY}"), said
    elif ended.value.code:
        assert ended.value.code == 2
        assert len(said) == 1, said
        assert said[0].startswith("tautune: ")
    assert not [path for path in folder.rglob("*") if ".part" in path.name]
