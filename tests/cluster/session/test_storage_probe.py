"""Whose fault it is when a folder cannot be tried: the folder's, or ours."""

from pathlib import Path

import pytest

from tautune.cluster.session import storage_probe
from tautune.cluster.session.storage_probe import Verdict, probe

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]


def test_a_folder_that_cannot_be_made_is_the_folders_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert probe(tmp_path / "file/out") == [Verdict("this host", "it cannot be written: Not a directory")]


def test_a_folder_that_every_host_can_use_has_no_fault_and_is_left_as_it_was(tmp_path: Path) -> None:
    assert [verdict.fault for verdict in probe(tmp_path / "new/out")] == [""]
    assert not list(tmp_path.iterdir())


def test_an_error_of_ours_is_not_told_as_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise TypeError("ours")

    monkeypatch.setattr(storage_probe, "_visit_all", broken)
    with pytest.raises(TypeError, match="ours"):
        probe(tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_the_probe_of_a_disk_leaves_no_folder(tmp_path: Path) -> None:
    assert [verdict.fault for verdict in probe(tmp_path / "new" / "folder")] == [""]
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    (verdict,) = probe(tmp_path / "file")
    assert verdict.fault.startswith("it cannot be written")
