"""No code runs that a stranger's folder names."""

import json
import os
from pathlib import Path

import pytest

from tautune._tuned import extend, refit, resume
from tautune.records.errors import InputError
from tautune.runners.trust import check_trusted, is_own
from tests.records.test_run_folder import TUNING

STUDY = 'open({mark!r}, "w").close()\nraise RuntimeError("it ran")\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tuning whose study is a file that leaves a mark when it runs."""
    (tmp_path / "evil.py").write_text(STUDY.format(mark=str(tmp_path / "mark")))
    found = tmp_path / "sent"
    found.mkdir()
    kept = TUNING | {"study": str(tmp_path / "evil.py"), "scheduler": "none"}
    runs = [{"experiment": "trials", "trials": 1, "finished": "2026-01-01"}]
    (found / "run.json").write_text(json.dumps({"configuration": kept, "runs": runs}))
    (found / "best.json").write_text(json.dumps({"trial": "a", "config": {}, "epochs": 1, "history": [], "number": 1}))
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("call", [lambda folder: extend(folder, 1), refit])
def test_a_strangers_folder_is_refused_and_nothing_of_it_runs(call, folder: Path) -> None:  # type: ignore[no-untyped-def]
    os.chown(folder / "run.json", 12345, 12345)
    with pytest.raises(InputError, match=r"may be somebody else's, and names .*evil.py .* then say --trust"):
        call(folder)
    assert not (folder.parent / "mark").exists()


def test_a_folder_that_others_can_write_is_not_trusted_unless_the_user_says_so(folder: Path) -> None:
    assert is_own(folder)
    folder.chmod(0o777)
    assert not is_own(folder)
    study = str(folder.parent / "evil.py")
    with pytest.raises(InputError, match="say --trust"):
        check_trusted(folder, study, trust=False)
    check_trusted(folder, study, trust=True)
    check_trusted(folder, "digits_mlp", trust=False)  # a built-in one, whatever the folder
    with pytest.raises(InputError, match="it ran"):
        extend(folder, 1, trust=True)
    assert (folder.parent / "mark").exists()
    (folder.parent / "mark").unlink()
    resume(folder, study=None, trust=True)  # nothing is left to do, so nothing runs
    assert not (folder.parent / "mark").exists()
