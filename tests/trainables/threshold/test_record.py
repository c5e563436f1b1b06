import json

from tautune.trainables.theory.momentum import Momentum
from tautune.trainables.threshold.record import Departure, MeasurementRecord, Settings
from tautune.trainables.threshold.search import Sample, Threshold

ON_DISK = {
    "settings": {
        "delay": 4,
        "momentum": 0.9,
        "shifted": True,
        "mini_batch": 32,
        "seed": 2,
        "resolution": 0.01,
        "first_guess": 0.3,
        "departures": False,
    },
    "samples": [{"learning_rate": 0.3, "growth": -0.01, "error": 0.001, "steps": 80}],
    "departures": [{"learning_rate": 0.6, "steps": 12, "left": True}],
    "gradient_evaluations": 80.5,
    "threshold": {"learning_rate": 0.31, "uncertainty": 0.001},
    "done": True,
    "host": "here",
}
RECORD = MeasurementRecord(
    settings=Settings(
        delay=4,
        momentum=Momentum(0.9, shifted=True),
        mini_batch=32,
        seed=2,
        resolution=0.01,
        first_guess=0.3,
        departures=False,
    ),
    samples=(Sample(0.3, -0.01, 0.001, 80),),
    departures=(Departure(0.6, 12, left=True),),
    gradient_evaluations=80.5,
    threshold=Threshold(0.31, 0.001),
    done=True,
    host="here",
)


def test_a_record_on_disk_is_as_it_was_and_comes_back_whole() -> None:
    assert json.dumps(RECORD.as_json()) == json.dumps(ON_DISK)
    assert MeasurementRecord.from_json(json.loads(json.dumps(ON_DISK))) == RECORD


def test_a_measurement_that_has_found_nothing_yet() -> None:
    begun = MeasurementRecord(settings=Settings(delay=1))
    assert MeasurementRecord.from_json(json.loads(json.dumps(begun.as_json()))) == begun
