"""What can be told of a job before it is sent, and of a laptop that cannot send it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.exceptions import TyperException
from typer.main import get_command

from tautune.cluster.remote.jobs import run_name
from tautune.cluster.remote.token_file import make_token
from tautune.commands.app import app
from tautune.commands.submitted import check_command
from tautune.records.errors import InputError

ROOT = Path(__file__).parents[3]
TAUTUNE = get_command(app)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a command after --: sweep"),
        (["swep", "digits"], "'swep' cannot be submitted; did you mean sweep?"),
        (["up"], "'up' cannot be submitted; a cluster runs sweep"),
        (["sweep", "digts"], "digts"),
        (["sweep", "digits", "--delays", "0,x"], "'x' is not one"),
        (["sweep", "digits", "--resolution", "2"], "--resolution must be"),
        (["sweep", "digits", "--device", "gpu"], "--device must be cpu, cuda or auto"),
        (["sweep", "digits_mlp"], "digits_mlp is for `tautune tune`"),
        (["sweep", "mine.py"], "mine.py is not a file of"),
        (["grid", "digits", "--learning-rates", "1:0.1:4"], "the first number is not below the second"),
        (["grid", "digits", "--mini-batch", "5000"], "--mini-batch must be between 1 and the 1797 examples"),
        (["tune", "digits_mpl"], "did you mean digits_mlp"),
        (["tune", "digits_mlp", "--set", "delai=3"], "did you mean delay"),
        (["tune", "digits_mlp", "--set", "delay"], "--set takes NAME=VALUE"),
        (["tune", "mine.py"], "mine.py is not a file of"),
        (["tune", "/elsewhere/mine.py"], "/elsewhere/mine.py is not a file of"),
    ],
)
def test_what_would_not_run_is_refused(arguments: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        check_command(TAUTUNE, arguments, tmp_path)


def test_options_are_checked_as_the_command_itself_does(tmp_path: Path) -> None:
    check_command(TAUTUNE, ["sweep", "digits", "--delays", "0,1"], tmp_path)
    (tmp_path / "mine.py").touch()
    check_command(TAUTUNE, ["tune", "mine.py", "--gpus-per-trial", "0.25"], tmp_path)
    with pytest.raises(TyperException, match="--dleays"):
        check_command(TAUTUNE, ["sweep", "digits", "--dleays", "0"], tmp_path)


def test_a_runs_name_is_its_own() -> None:
    names = {run_name(["tune", "studies/my study.py", "--trials", "3"]) for _ in range(100)}
    assert len(names) == 100
    assert all(re.fullmatch(r"tune-my-study-\d{8}-\d{6}-[0-9a-f]{6}", name) for name in names)


def test_the_token_is_made_for_its_owner_alone_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = make_token()
    assert file.stat().st_mode & 0o777 == 0o600
    token = file.read_text()
    assert len(token) == 64
    file.chmod(0o644)
    assert make_token().read_text() == token
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("")
    with pytest.raises(InputError, match="is empty; remove it"):
        make_token()


@pytest.mark.parametrize("program", ["ssh", "rsync"])
def test_a_program_that_is_missing_is_named(program: str, tmp_path: Path) -> None:
    for other in {"ssh", "rsync"} - {program}:
        (tmp_path / other).symlink_to("/bin/true")
    command = [sys.executable, "-m", "tautune", "up", "cluster/providers/onprem.yaml"]
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [
        f"tautune: {program} is missing on this machine; install it "
        f"(Debian: apt-get install {'openssh-client' if program == 'ssh' else program})"
    ]
    assert not (tmp_path / ".ray").exists()
