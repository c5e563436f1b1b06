"""The reports as Python users have them, and what holds for every kind of run."""

import importlib
from pathlib import Path

import pytest

import tautune
from tautune.analysis.reported import report_at_end
from tautune.analysis.thresholds import Thresholds
from tests.analysis.reports.made import made_tuning
from tests.analysis.reports.test_grid import made_grid
from tests.analysis.reports.test_sweep import made_sweep
from tests.analysis.test_thresholds import concluded, record


@pytest.mark.parametrize("kind", ["sweep", "grid", "edge", "tuning", "simulation", "probe"])
def test_every_kind_of_run_has_a_page(kind: str) -> None:
    module = importlib.import_module(f"tautune.analysis.reports.{kind}")
    assert callable(module.page)


def test_what_was_loaded_has_a_report(tmp_path: Path) -> None:
    for folder in (made_tuning(tmp_path / "tuned"), made_sweep(tmp_path / "swept"), made_grid(tmp_path / "grid")):
        (folder / "grid.json").write_text('{"study": "digits", "momentum": 0.0, "shifted": false, "sharpness": 2.0}')
        result = tautune.load(folder)
        assert result.report() == folder / "report.html"
        assert (folder / "report.html").read_text().startswith("<!doctype html>")
        assert result.report(tmp_path / f"{folder.name}.html") == tmp_path / f"{folder.name}.html"
        assert result.plot().axes
        assert len(result.to_frame()) > 0


def test_results_without_a_folder_have_no_report() -> None:
    with pytest.raises(ValueError, match="these results have none"):
        concluded([record(1, 1.0)]).report()


def test_a_sweep_tells_the_threshold_of_a_delay() -> None:
    thresholds = concluded([record(d, 1.0) for d in (0, 8)])
    assert thresholds.at_delay(8) is thresholds.points[1]
    with pytest.raises(ValueError, match=r"delay must be one whose threshold was found \(0, 8\), not 3"):
        thresholds.at_delay(3)


def test_a_report_that_fails_does_not_undo_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made_sweep(tmp_path / "swept")
    assert report_at_end(folder) == str(folder / "report.html")
    monkeypatch.chdir(tmp_path)
    assert report_at_end(folder) == "swept/report.html"  # as one would type it
    monkeypatch.setattr(Thresholds, "fit", lambda self: 1 / 0)
    assert report_at_end(folder) == "swept/report.html could not be made: ZeroDivisionError: division by zero"
