import subprocess
from pathlib import Path

import pytest

from tautune.cluster.remote import working_directory
from tautune.cluster.remote.working_directory import check_size, left_at_home, sent_files
from tautune.records.errors import InputError


def test_results_environments_and_what_git_ignores_stay_at_home(tmp_path: Path) -> None:
    for name in ("study.py", "results/a.csv", ".venv/lib/torch.so", "part/code.py", "part/__pycache__/code.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert set(sent_files(tmp_path)) == {Path("study.py"), Path("part/code.py")}
    assert left_at_home(tmp_path) == ["results"]
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("part/\n")
    assert set(sent_files(tmp_path)) == {Path("study.py"), Path(".gitignore")}
    assert check_size(tmp_path) == 1 + len("part/\n")


def test_too_much_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working_directory, "LIMIT", 2**20)
    (tmp_path / "images").mkdir()
    (tmp_path / "images/all.bin").write_bytes(bytes(3 * 2**20))
    (tmp_path / "study.py").write_text("x")
    with pytest.raises(InputError, match=r"has 3 MiB to send, and 1 MiB is the most: images \(3 MiB\), study.py"):
        check_size(tmp_path)
    with pytest.raises(InputError, match="there is no folder"):
        check_size(tmp_path / "missing")
