"""What a probe leaves in a folder, from the command and from Python."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import tautune
from tautune.analysis.probe import Probe
from tests.commands.test_commands import run
from tests.test_probe import half, least_squares

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_command_writes_a_folder_which_the_next_probe_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ("probe", "digits", "--learning-rate", "0.1", "--mini-batch", "600", "--output", "out")
    assert run(monkeypatch, *command) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "out/report.html"
    assert "SGD at η = 0.1 is safe at delay 0: it may grow" in said[-3]
    assert run(monkeypatch, *command, "--delays", "0,16", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert json.loads(Path("out/probe.json").read_text()) == told
    assert [row["delay"] for row in told["rows"]] == [0, 16]
    kept = json.loads(Path("out/run.json").read_text())
    assert kept["configuration"]["kind"] == "probe"
    assert kept["configuration"]["delays"] == [0, 16]
    (only,) = kept["runs"]
    assert (only["given"], set(only) >= {"versions", "hardware", "commit", "finished"}) == ("digits", True)
    assert "digits: is SGD safe where it stands?" in Path("out/report.html").read_text()
    assert sorted(file.name for file in Path("out").iterdir() if file.name[0] != ".") == [
        "probe.json",
        "probe.png",
        "report.html",
        "run.json",
    ]
    assert run(monkeypatch, "report", "out", "--figures", "figures") == 0
    kinds = {f"{name}.{kind}" for name in ("limits", "spread") for kind in ("svg", "pdf", "png")}
    assert {file.name for file in Path("figures").iterdir()} == kinds


def test_a_probe_from_python_is_kept_and_loaded(tmp_path: Path) -> None:
    model, batches = least_squares()
    optimizer = tautune.GradientQueue(torch.optim.SGD(model.parameters(), 0.05, momentum=0.5), delay=4)
    found = tautune.probe(model, half, batches, optimizer=optimizer, output=tmp_path / "out")
    assert (found.study, found.path) == ("Linear", tmp_path / "out")
    loaded = tautune.load(tmp_path / "out")
    assert loaded == found
    assert isinstance(loaded, Probe)
    assert loaded.best_remedy == found.best_remedy
    assert (tmp_path / "out" / "report.html").is_file()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")

    def loss(*_: Any) -> torch.Tensor:
        raise AssertionError

    with pytest.raises(ValueError, match="mine holds files but no run.json; give an empty or a new folder"):
        tautune.probe(model, loss, batches, output=tmp_path / "mine")
