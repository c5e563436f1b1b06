"""Trainings at their edge, on Ray: a folder that continues, and what is in it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.nn.functional import mse_loss

import tautune
from tautune.records.edge_folder import EdgeFolder
from tautune.records.event_files import BOARD
from tautune.runners.edge import Edge
from tautune.runners.edge_job import bounds
from tautune.trainables.edge.runs import Run

torch.manual_seed(0)
STUDY = tautune.StabilityStudy(
    name="small",
    data=(torch.randn(20, 3), torch.randn(20, 2)),
    model=lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)),
    loss=mse_loss,
)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_run_is_kept_continued_and_drawn(tmp_path: Path) -> None:
    folder = tmp_path / "edge"
    first = tautune.edge(STUDY, optimizer="adam", delays=[0], steps=200, seeds=2, output=folder)
    assert [(point.delay, point.seeds, point.diverged) for point in first.points] == [(0, 2, 0)]
    with EdgeFolder(folder, {}) as kept:
        samples = kept.samples()
        kept.write([sample for sample in samples if sample.seed == 0 or sample.step < 100])  # as a killed run leaves it
    more = tautune.edge(STUDY, optimizer="adam", delays=[0, 2], steps=200, seeds=2, output=folder)
    again = EdgeFolder(folder, {}).samples()[: len(samples)]
    assert [(sample.run, sample.step) for sample in again] == [(sample.run, sample.step) for sample in samples]
    assert [sample for sample in again if sample.seed == 0] == [sample for sample in samples if sample.seed == 0]
    seen = [[sample.sharpness for sample in one] for one in (again, samples)]
    assert seen[0] == pytest.approx(seen[1], rel=0.1)  # a search ends when all that are stacked with it are found
    written = json.loads((folder / "edge.json").read_text())
    assert [(p["delay"], p["optimizer"], p["seeds"]) for p in written["points"]] == [(0, "adam", 2), (2, "adam", 2)]
    assert written["points"][0]["ratio"] == more.points[0].ratio == pytest.approx(first.points[0].ratio, rel=0.1)
    runs = json.loads((folder / "run.json").read_text())["runs"]
    assert [run["trainings"] for run in runs] == [2, 3]
    assert all("finished" in run for run in runs)
    assert (folder / "edge.png").stat().st_size > 10_000
    curve = next(curve for curve in more.curves if (curve.delay, curve.seed) == (2, 1))
    events = EventAccumulator(str(folder / BOARD / "τ=02 η=2e-3 seed=1")).Reload().Scalars("1 over steps/edge ratio")
    assert [event.step for event in events] == list(curve.steps)
    assert [event.value for event in events] == pytest.approx(curve.ratios)
    assert "There is none: the run was started from Python" in (folder / "report.html").read_text()  # its command
    assert tautune.load(folder).points == more.points  # type: ignore[union-attr]


def test_trainings_of_one_delay_are_in_one_trial() -> None:
    runs = [Run(0, 0.1, seed) for seed in range(18)] + [Run(4, 0.1, 0)]
    assert bounds(runs) == [(0, 16), (16, 18), (18, 19)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"optimizer": "lion"}, "optimizer must be one of sgd, momentum, adam, rmsprop, nadam, not 'lion'"),
        ({"steps": 10}, "steps must be at least 100, not 10"),
        ({"decay": 1.0}, "decay must be at least 0 and below 1, not 1.0"),
        ({"decay": 0.9}, "decay is for adam, rmsprop, nadam; sgd has none"),
        ({"learning_rates": (0.0,)}, "learning_rates must be above 0"),
        ({"delays": ()}, "delays must hold at least one delay"),
        ({"study": "digits_mlp"}, "study digits_mlp is for `tautune tune`"),
    ],
)
def test_wrong_settings_are_told(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Edge(**{"study": "digits_squared"} | options)


def test_a_damaged_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"configuration": {"kind": "edge"}}')
    header = "delay,learning_rate,seed,step,loss,sharpness,threshold,diverged\n"
    for rows in ("0,0.1,0,5,1.0,nan,2.0,0\n", "0,0.1,0\n"):
        (tmp_path / "curves.csv").write_text(header + rows)
        with pytest.raises(tautune.InputError, match="curves.csv is damaged in line 2"):
            EdgeFolder(tmp_path, {}).samples()
