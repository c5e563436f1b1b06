"""Tunings whose trials are parameter servers: their records, and what is left when a worker or the server is killed."""

import csv
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from ray import tune
from torch import nn
from upath import UPath

import tautune
from tautune._sweep import carry_out
from tautune._tuned import refit
from tautune.records.delay_trace import read_delays
from tautune.records.errors import InputError
from tautune.records.sweep_folder import read_records
from tautune.runners.delays_log import DelaysLog
from tautune.runners.listeners import SweepListener
from tautune.runners.sweep import Sweep
from tautune.runners.with_workers import placed, room_of
from tautune.trainables.asynchronous.settings import Stages, Workers
from tautune.trainables.threshold.update import Update
from tests.runners.boards import ages_shown
from tests.runners.tunings import SMALL, STEPS, rows_of, run

TWO = Workers(count=2, cpus=0.01)
FOUR = Stages(count=4, cpus=0.01)


class Mortal(nn.Module):
    """Ends its process once in mid-training, which is a worker's, and once while validating, which the server does."""

    def __init__(self, marks: Path) -> None:
        super().__init__()
        self.marks, self.seen = marks, {True: 0, False: 0}

    def forward(self, inputs: Any) -> Any:
        self.seen[self.training] += 1
        mark = self.marks / ("worker" if self.training else "server")
        if self.seen[self.training] == (20 if self.training else 2) and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), 9)
        return inputs.flatten(1)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_sweep_writes_the_ages_of_all_its_trainings_and_what_they_let_a_single_one_do(tmp_path: Path) -> None:
    sweep = Sweep(study="quadratic", update=Update(workers=TWO), seeds=2, resolution=0.5, departures=False)
    found = carry_out(sweep, tmp_path / "out", SweepListener())
    records = {record.key: record for record in read_records(tmp_path / "out")}
    for record in records.values():
        [file] = (tmp_path / "out/trials").glob(f"*_seed={record.settings.seed}/delays.csv")
        table = [{name: int(value) for name, value in line.items()} for line in csv.DictReader(file.open())]
        assert [line["step"] for line in table] == list(range(sum(sample.steps for sample in record.samples)))
        assert record.settings.update
        assert {age for age, _ in record.settings.update.drawn} <= set(read_delays(file))
    [point] = found.points
    known = [record.in_order for record in records.values() if record.in_order is not None]
    assert point.typical == pytest.approx(sum(known) / len(known) / found.sharpness)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_killed_worker_and_a_killed_server_cost_no_trial_and_no_update_is_made_twice(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()

    def model(shape: tuple[int, ...], classes: int) -> nn.Module:
        return nn.Sequential(Mortal(marks), nn.Linear(64, classes))

    space = {"learning_rate": 0.01, "optimizer": "sgd"}
    study = replace(SMALL, model=model, space=space)
    run(study, "random", "none", tmp_path / "out", trials=1, workers=TWO)
    assert {mark.name for mark in marks.iterdir()} == {"worker", "server"}
    [row] = rows_of(tmp_path / "out")
    assert (row["state"], row["epochs_trained"]) == ("finished", "3")
    [file] = (tmp_path / "out/trials").glob("*/delays.csv")
    table = list(csv.DictReader(file.open()))
    assert [int(line["step"]) for line in table] == list(range(3 * STEPS))
    assert len({line["gradient"] for line in table}) == len(table)
    assert len(read_delays(file)) == 3 * STEPS
    ages = read_delays(file)
    assert ages_shown(tmp_path / "out", "01") == [(e + 1, Counter(ages[STEPS * e : STEPS * (e + 1)])) for e in range(3)]
    assert refit(tmp_path / "out", study=study)["epochs"] == 3
    [file] = (tmp_path / "out").glob("refit-*/refit/delays.csv")
    workers = {int(line["worker"]) for line in csv.DictReader(file.open())}
    assert workers
    assert workers <= {0, 1}  # on a busy machine one may do all while the other computes


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_killed_stage_costs_no_trial_and_no_update_is_made_twice(tmp_path: Path) -> None:
    """The process of the first stage is ended in mid-training; validation is the trial's own."""
    marks = tmp_path / "marks"
    marks.mkdir()
    (marks / "server").touch()

    def model(shape: tuple[int, ...], classes: int) -> nn.Module:
        return nn.Sequential(Mortal(marks), nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, classes))

    study = replace(SMALL, model=model, space={"learning_rate": 0.01, "optimizer": "sgd"})
    run(study, "random", "none", tmp_path / "out", trials=1, stages=Stages(count=2, cpus=0.01))
    assert (marks / "worker").exists()
    [row] = rows_of(tmp_path / "out")
    assert (row["state"], row["epochs_trained"]) == ("finished", "3")
    [file] = (tmp_path / "out/trials").glob("*/delays.csv")
    table = [(int(line["step"]), int(line["worker"]), int(line["age"])) for line in csv.DictReader(file.open())]
    assert table == [(step, stage, min(step, 1 - stage)) for step in range(3 * STEPS) for stage in range(2)]
    first, *later = ages_shown(tmp_path / "out", "01")
    assert first == (1, {0: STEPS + 1, 1: STEPS - 1})
    assert later == [(epoch, {0: STEPS, 1: STEPS}) for epoch in (2, 3)]


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_trial_takes_room_for_its_server_and_its_workers() -> None:
    workers = placed(Workers(count=4), {"CPU": 1, "GPU": 0})
    assert workers.cpus is not None
    assert 0 < workers.cpus <= 1
    room = room_of(workers, {"CPU": 1, "GPU": 0})
    assert [bundle["CPU"] for bundle in room.bundles] == [1, *[workers.cpus] * 4]
    with pytest.raises(InputError, match=r"99 workers of 1 CPU each need 99 CPU, and the cluster has .* missing; take"):
        placed(Workers(count=99, cpus=1), {"CPU": 1, "GPU": 0})
    with pytest.raises(
        InputError, match=r"99 stages of 1 CPU each need 99 CPU, .* missing; take fewer stages, or lower"
    ):
        placed(Stages(count=99, cpus=1), {"CPU": 1, "GPU": 0})
    with pytest.raises(InputError, match=r"2 workers of 0.5 GPU each need 1 GPU, and the cluster has 0 for them"):
        placed(Workers(count=2, cpus=0.1, gpus=0.5), {"CPU": 1, "GPU": 0})


class Endless:
    """An iterable of batches that does not know how many there are."""

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        yield torch.zeros(4, 2), torch.zeros(4, 1)


def test_batches_without_a_number_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    study = tautune.TuningStudy(
        name="endless",
        description="",
        data=lambda: tautune.Data(training=Endless(), validation=Endless(), test=Endless()),
        model=lambda shape, outputs: nn.Linear(2, outputs),
        task="regression",
        space={"learning_rate": tune.uniform(0.1, 1.0)},
    )
    for them in ({"workers": TWO}, {"stages": Stages(count=1)}):
        with pytest.raises(InputError, match=r"(workers|stages) need iterables that know their length"):
            tautune.tune(study, output=tmp_path / "out", **them)
    assert not (tmp_path / "out").exists()


class Trial:
    """What a logger sees of Ray Tune's trial, whose own folder is another one in each run."""

    def __init__(self, folder: Path) -> None:
        self.local_path = str(folder / "00")

    def init_local_path(self) -> None:
        Path(self.local_path).mkdir(parents=True, exist_ok=True)


@pytest.mark.parametrize("bucket", [False, True])
def test_updates_that_are_made_again_take_the_place_of_the_earlier_ones_also_in_a_later_run(
    tmp_path: Path, bucket: bool
) -> None:
    place: Any = UPath(f"memory://{tmp_path}") if bucket else tmp_path
    runs = (("trials", ((0, 1), (3, 1), (3, 2))), ("trials", ((5, 3), (8, 3))), ("trials-2", ((9, 4),)))
    for number, (name, begins) in enumerate(runs):  # the last one is of `extend --longer`
        folder = place / name
        log, trial = DelaysLog(folder), Trial(tmp_path / f"run{number}")
        for first, age in begins:
            rows = [(step, 0, age, step, step) for step in range(first, first + 3)]
            log.log_trial_result(1, trial, {"delays_made_again": rows[:1], "delays": rows[1:]})
        if bucket:  # as Ray Tune does at last
            (folder / "00").mkdir(parents=True, exist_ok=True)
            (folder / "00" / "delays.csv").write_bytes((Path(trial.local_path) / "delays.csv").read_bytes())
    (tmp_path / "found.csv").write_bytes((folder / "00" / "delays.csv").read_bytes())
    assert read_delays(tmp_path / "found.csv") == [1] * 3 + [2] * 2 + [3] * 4 + [4] * 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"folds": 3}, "folds must be left out with workers"),
        ({"fixed": {"delay": 4}}, "workers must be left out where delay is a hyperparameter"),
        (
            {"study": replace(SMALL, space=tautune.normalized(tune.uniform(0.1, 1.0)))},
            "workers must be left out where normalized_rate is a hyperparameter",
        ),
        ({"scheduler": "pbt", "search": "random"}, "scheduler pbt changes what workers are in the midst of"),
        ({"stages": FOUR}, "stages are those of a pipeline, and workers those of a parameter server"),
        (
            {"workers": Workers(count=2, mode="buffered:2"), "fixed": {"remedy": "predict:2"}},
            "mode buffered:2 must be left out where remedy is a hyperparameter",
        ),
        ({"workers": None, "stages": FOUR, "folds": 2}, "folds must be left out with stages"),
        ({"workers": None, "stages": FOUR, "fixed": {"remedy": "predict:2"}}, "stages must be left out where remedy"),
        ({"workers": None, "stages": FOUR, "gpus_per_trial": 1}, "gpus_per_trial must be left out with stages"),
        (
            {"workers": None, "stages": FOUR},
            "the model of digits_mlp with layers=1, units_1=64, dropout=0.0: it cannot be cut into 4 stages: it has 2 "
            "children with parameters, and each stage needs one; others of its space can be",
        ),
    ],
)
def test_what_is_not_done_with_workers_is_told_before_anything_is_written(
    options: Any, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        tautune.tune(**{"study": "digits_mlp", "output": tmp_path / "out", "workers": TWO} | options)
    assert not (tmp_path / "out").exists()
