"""An interrupted tuning ends with the rows of the unbroken one, whatever the moment at which it was killed."""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tautune._tuned import resume
from tautune.records.journal import FILE, read_journal
from tautune.runners.methods import EARLY
from tests.runners.tunings import GRID, SMALL, rows_of, run, trajectories

pytestmark = [pytest.mark.process, pytest.mark.timeout(300), pytest.mark.usefixtures("local_ray")]

OPTIONS = {
    "trials": 6,
    "max_epochs": 5,
    "concurrent": 1,
    "points_to_evaluate": [{"learning_rate": 0.05, "layers": 1}],  # the rest is drawn, and drawn the same again
}


def killed(whole: Path, folder: Path, events: int) -> Path:
    """Makes what a kill -9 after so many events leaves: no table, no end in run.json, a torn last line."""
    shutil.copytree(whole, folder)
    lines = (folder / FILE).read_bytes().splitlines(keepends=True)
    (folder / FILE).write_bytes(b"".join(lines[:events]) + lines[events][:20])
    begun = {f"{event['number']:02d}" for event in read_journal(folder) if "begin" in event}
    for place in (folder / "trials").iterdir():
        if place.is_dir() and place.name not in begun:
            shutil.rmtree(place)
    for name in ("trials.csv", "trials.jsonl", "best.json"):
        (folder / name).unlink()
    content = json.loads((folder / "run.json").read_text())
    for name in ("finished", "duration_seconds", "training_epochs", "stopped_by_budget"):
        del content["runs"][-1][name]
    (folder / "run.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("search", "scheduler", "kills"),
    [
        ("hyperopt", "asha", 3),
        ("optuna-tpe", "median", 3),
        ("random", "none", 2),
        ("gp", "asha", 1),
        ("cmaes", "median", 1),
        ("pso", "asha", 1),
        ("de", "none", 1),
        ("grid", "asha", 1),
    ],
)
def test_the_rows_are_those_of_the_unbroken_run(search: str, scheduler: str, kills: int, tmp_path: Path) -> None:
    whole, study = tmp_path / "whole", GRID if search == "grid" else SMALL
    options = {"max_epochs": 5, "concurrent": 1} if search == "grid" else OPTIONS
    run(study, search, scheduler, whole, **options)
    expected = trajectories(rows_of(whole))
    if scheduler in EARLY:
        assert {"finished", "stopped"} == {row["state"] for row in expected}  # there is something to decide
    moments = random.Random(0).sample(range(1, len(read_journal(whole))), kills)
    for moment in moments:
        folder = killed(whole, tmp_path / f"{moment}", moment)
        resume(folder, study=study)
        assert trajectories(rows_of(folder)) == expected, f"killed after {moment} events"


def test_rows_outlive_every_damage_to_the_files_beside_the_journal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = tmp_path / "whole"
    run(SMALL, "hyperopt", "asha", whole, **OPTIONS)
    expected = trajectories(rows_of(whole))
    (whole / "trials.jsonl").write_text("{")
    resume(whole, study=SMALL)  # nothing is left to do but to write the table again
    assert trajectories(rows_of(whole)) == expected
    folder = killed(whole, tmp_path / "killed", 20)
    for file in (folder / "trials").iterdir():  # Ray Tune's own, of which nothing is read any more
        if file.is_file():
            file.write_bytes(b"cos\nsystem\n(S'touch /tmp/tautune-was-here'\ntR.")
    (folder / "trials.jsonl").write_text("damaged")
    resume(folder, study=SMALL)
    assert trajectories(rows_of(folder)) == expected
    assert not Path("/tmp/tautune-was-here").exists()
    assert not caplog.records


def test_a_damaged_event_costs_no_row(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = tmp_path / "whole"
    run(SMALL, "random", "none", whole, **OPTIONS | {"trials": 3})
    expected = trajectories(rows_of(whole))
    folder = killed(whole, tmp_path / "killed", 10)
    lines = (folder / FILE).read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b"0", b"1")
    (folder / FILE).write_bytes(b"".join(lines))
    resume(folder, study=SMALL)
    left = trajectories(rows_of(folder))
    assert [row["number"] for row in left] == [row["number"] for row in expected]
    assert "line 4 is damaged and is left out" in caplog.text


def test_a_search_that_suggests_something_else_now_says_so_and_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = tmp_path / "whole"
    run(SMALL, "hyperopt", "none", whole, **OPTIONS | {"trials": 3, "max_epochs": 2})
    folder = killed(whole, tmp_path / "killed", 7)
    content = json.loads((folder / "run.json").read_text())
    content["configuration"]["seed"] = 5  # stands for another version of HyperOpt
    (folder / "run.json").write_text(json.dumps(content))
    before = trajectories(rows_of(whole))
    resume(folder, study=replace(SMALL))
    after = trajectories(rows_of(folder))
    assert len(after) == 3
    assert after[0] == before[0]
    assert "the search cannot be brought to where it was" in caplog.text
