"""Measurements come back as they were kept."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tautune.records.errors import InputError
from tautune.records.sweep_folder import SweepFolder, read_records
from tautune.runners.sweep import Sweep
from tautune.trainables.asynchronous.settings import Workers
from tautune.trainables.theory.momentum import Momentum
from tautune.trainables.threshold.record import Departure, MeasurementRecord, Settings
from tautune.trainables.threshold.search import Sample
from tautune.trainables.threshold.update import Update

RECORDS = [
    MeasurementRecord(
        settings=Settings(delay=delay, seed=seed, momentum=Momentum(0.9, shifted=True), first_guess=0.1 + 0.2),
        samples=(Sample(0.1, 1e-300, 1e-3, 20),),
        departures=(Departure(0.3, 7, True),),
        done=True,
        host="a",
    )
    for delay, seed in ((2, 0), (10, 0), (10, 1))
]
CONFIGURATION = {"study": "digits", "resolution": 0.005}


def test_measurements_come_back_to_the_last_digit(tmp_path: Path) -> None:
    with SweepFolder(tmp_path / "out", CONFIGURATION) as folder:
        assert folder.records() == {}
        for record in reversed(RECORDS):
            folder.keep(record)
        assert folder.record(10, 1) == RECORDS[2]
        assert folder.record(3, 0) is None
        assert list(folder.records().values()) == RECORDS
    assert list(read_records(tmp_path / "out")) == RECORDS


@pytest.mark.parametrize("damage", ["{", "[]", "{}", '"momentum": 7', '"samples": 3'])
def test_a_damaged_measurement_is_named(damage: str, tmp_path: Path) -> None:
    with SweepFolder(tmp_path, CONFIGURATION) as folder:
        folder.keep(RECORDS[0])
    (file,) = (tmp_path / "measurements").iterdir()
    name = damage.split(":")[0].strip('"')
    values = json.loads(file.read_text())
    if name == "momentum":
        values["settings"]["momentum"] = 7
    elif name == "samples":
        values["samples"] = 3
    file.write_text(json.dumps(values) if name in ("momentum", "samples") else damage)
    with pytest.raises(InputError, match=r"delay=2_seed=0\.json is damaged: "):
        folder.records()


@pytest.mark.parametrize(
    "update",
    [
        Update(drawn=((0, 0.25), (7, 0.75))),
        Update(stages=(2, 1, 0)),
        Update(workers=Workers(count=2, slowdown=(1.0, 4.0))),
        Update(workers=Workers(count=2)),
    ],
    ids=str,
)
def test_a_sweep_of_any_delays_goes_on_in_its_folder(update: Update, tmp_path: Path) -> None:
    sweep = Sweep(study="quadratic", update=update)
    for _ in range(2):
        with SweepFolder(tmp_path / "sweep", sweep.configuration()) as folder:
            folder.keep_run(delays=[1])
    longer = replace(sweep, resolution=0.1)
    with (
        pytest.raises(InputError, match="holds a sweep with resolution"),
        SweepFolder(folder.path, longer.configuration()),
    ):
        pass
