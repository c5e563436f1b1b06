"""Whose commit is whose."""

import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tautune.records import provenance as module
from tautune.records.provenance import commits, provenance, readable, time_of

ROOMS = Path(__file__).parents[2]


def git(folder: Path, *arguments: str) -> str:
    identity = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for role in ("AUTHOR", "COMMITTER"):
        identity |= {f"GIT_{role}_NAME": "a user", f"GIT_{role}_EMAIL": "user@example.org"}
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | identity).stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's repository, in which one works."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "study.py").write_text("")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    monkeypatch.chdir(folder)
    return folder


def test_the_users_commit_has_its_own_name(project: Path) -> None:
    commit = git(project, "rev-parse", "HEAD")
    assert commits()["project"] == {"commit": commit, "clean": True}
    (project / "results").mkdir()
    (project / "results" / "run.json").write_text("")  # not tracked: a run's own
    assert commits()["project"] == {"commit": commit, "clean": True}
    (project / "study.py").write_text("edited")
    assert commits()["project"] == {"commit": commit, "clean": False}


def test_tautunes_own_commit_is_that_of_its_checkout(project: Path) -> None:
    """Tests run in a checkout; a source archive has none."""
    if not (ROOMS / ".git").exists():
        pytest.skip("not a checkout")
    said = commits()
    assert said["commit"].removesuffix("+") == git(ROOMS, "rev-parse", "HEAD")
    assert said["project"]["commit"] != git(ROOMS, "rev-parse", "HEAD")


@pytest.mark.parametrize("tracked", [True, False])
def test_a_tautune_installed_in_a_users_repository_does_not_claim_its_commit(tracked: bool, project: Path) -> None:
    installed = project / ".venv" / "site-packages" / "tautune"
    shutil.copytree(ROOMS / "records", installed / "records", ignore=shutil.ignore_patterns("__pycache__"))
    if tracked:
        git(project, "add", "-f", ".")
        git(project, "commit", "-qm", "an environment, committed")
    code = "from tautune.records.provenance import *; said = commits(); print(HOME, said['commit'], said['project'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(installed.parent)},
        check=True,
    )
    project_is = {"commit": git(project, "rev-parse", "HEAD"), "clean": True}
    assert done.stdout.strip() == f"{installed} None {project_is}"


def test_nothing_that_git_does_fails_a_run(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".git" / "HEAD").write_text("broken")
    assert commits()["project"] is None
    bare = tmp_path / "bare"
    bare.mkdir()
    git(bare, "init", "-q", "--bare")
    monkeypatch.chdir(bare)
    assert commits()["project"] is None
    new = tmp_path / "new"
    new.mkdir()
    git(new, "init", "-q")
    monkeypatch.chdir(new)
    assert commits()["project"] is None
    shutil.rmtree(new)
    assert commits()["project"] is None  # where one works is gone
    monkeypatch.setenv("PATH", "")
    said = commits()
    assert (said["commit"], said["project"]) == (None, None)


def test_a_repository_that_takes_long_is_not_waited_for(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit is told all the same."""
    commit, slow = git(project, "rev-parse", "HEAD"), tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\n[ "$1" = status ] && exec sleep 20\nexec {shutil.which("git")} "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(module, "GIT_SECONDS", 0.5)
    begun = time.monotonic()
    assert commits()["project"] == {"commit": commit, "clean": None}
    assert time.monotonic() - begun < 3


def test_a_time_is_written_as_people_do() -> None:
    assert readable("2026-11-28T23:17:01+00:00") == "2026-11-28 23:17:01 UTC"
    assert [readable(other) for other in ("", "not yet")] == ["", "not yet"]


def test_a_moment_of_the_clock_is_a_time_of_day() -> None:
    apart = datetime.now(UTC) - datetime.fromisoformat(time_of(time.monotonic() - 90))
    assert 89 < apart.total_seconds() < 92


def test_git_hooks_variables_do_not_mislead(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert commits()["project"]["clean"]


def test_a_package_that_is_not_installed_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGES", ("torch", "no-such-package"))
    assert provenance()["versions"]["no-such-package"] is None
