"""The script that makes a machine ready, and the environment of Ray's processes: what bash does with them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A node's home with the working tree and, as rsync may leave it, a token that others can read."""
    tree = tmp_path / "tautune"
    (tree / "cluster/providers").mkdir(parents=True)
    for file in ("setup.sh", "environment.sh"):
        shutil.copy(ROOT / "cluster/providers" / file, tree / "cluster/providers")
    (tree / "requirements.lock").write_text("ray==1.0\n")
    (tree / "pyproject.toml").write_text("")
    (tmp_path / ".ray").mkdir(mode=0o755)
    (tmp_path / ".ray/auth_token").write_text("secret")
    (tmp_path / ".ray/auth_token").chmod(0o644)
    return tmp_path


def bash(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HOME": str(home), "PYTHON": sys.executable}
    return subprocess.run(["bash", "-c", command], env=environment, cwd=home, capture_output=True, text=True)


SETUP = "bash ~/tautune/cluster/providers/setup.sh ~/.tautune-venv"
INSTALLED = "cat ~/tautune/requirements.lock ~/tautune/pyproject.toml | cksum > ~/.tautune-venv/installed"


def test_a_second_call_mends_the_token_and_installs_nothing(home: Path) -> None:
    (home / ".tautune-venv").mkdir()
    bash(INSTALLED, home)
    done = bash(f"PYTHON=false {SETUP}", home)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (home / ".ray").stat().st_mode & 0o777 == 0o700
    assert (home / ".ray/auth_token").stat().st_mode & 0o777 == 0o600
    assert (home / "tautune/.venv").resolve() == home / ".tautune-venv"
    (home / "tautune/requirements.lock").write_text("changed==1.0\n")
    for _ in range(2):  # what failed is not taken for installed
        assert bash(f"PYTHON=false {SETUP}", home).returncode == 1


def test_an_old_python_is_refused(home: Path) -> None:
    old = home / "python3"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 10); $2"\n')
    old.chmod(0o755)
    done = bash(f"PYTHON={old} {SETUP}", home)
    assert done.returncode == 1
    assert "tautune needs Python 3.11 or later" in done.stderr
    assert not (home / ".tautune-venv").exists()


def test_rays_processes_get_the_locked_python_and_ask_for_the_token(home: Path) -> None:
    shown = bash('. ~/tautune/cluster/providers/environment.sh; pwd; echo "$PATH"; env', home).stdout.splitlines()
    assert shown[0] == str(home / "tautune")
    assert shown[1].startswith(f"{home}/.tautune-venv/bin:")
    assert "RAY_AUTH_MODE=token" in shown
