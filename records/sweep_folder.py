"""A sweep's folder: a file for each measurement, and the conclusions beside them.

A run that was stopped goes on from the measurements that it finds; its progress is kept nowhere else.
"""

from collections.abc import Iterator
from typing import NotRequired, Required, TypedDict, cast

from tautune.records.errors import InputError, RunFailed
from tautune.records.files import read_json, write_json
from tautune.records.run_folder import RunFolder
from tautune.records.storage import Folder, make, reading, writing
from tautune.records.typed import Count, NotNegative, Object, Positive
from tautune.trainables.threshold.record import MeasurementRecord

MEASUREMENTS = "measurements"
REMEDY = "remove it, and it is measured anew"


class _Settings(TypedDict, total=False):
    delay: Required[Count]
    momentum: float
    shifted: bool
    update: Object
    mini_batch: Count | None
    seed: int
    resolution: Positive
    first_guess: Positive
    departures: bool


class _Sample(TypedDict):
    learning_rate: Positive
    growth: float
    error: NotNegative
    steps: Count


class _Departure(TypedDict):
    learning_rate: Positive
    steps: Count
    left: bool


class _Threshold(TypedDict):
    learning_rate: Positive
    uncertainty: NotNegative


class _Record(TypedDict):
    settings: _Settings
    samples: list[_Sample]
    departures: list[_Departure]
    gradient_evaluations: NotNegative
    threshold: _Threshold | None
    done: bool
    host: NotRequired[str | None]
    in_order: NotRequired[Positive]


class SweepFolder(RunFolder):
    """See `RunFolder`."""

    kind = "sweep"

    @property
    def trials(self) -> Folder:
        """Where Ray Tune keeps its own files."""
        return self.path / "trials"

    def record(self, delay: int, seed: int) -> MeasurementRecord | None:
        """Returns what has been measured so far at one delay, or None. Raises InputError if its file is damaged."""
        file = self._file(delay, seed)
        return read_record(file) if file.exists() else None

    def records(self) -> dict[tuple[int, int], MeasurementRecord]:
        """Returns all that has been measured, by (delay, seed)."""
        return {record.key: record for record in read_records(self.path)}

    def keep(self, record: MeasurementRecord) -> None:
        """Writes what has been measured so far at one delay."""
        file = self._file(*record.key)
        with writing(file, RunFailed):
            make(file.parent)
        write_json(file, record.as_json())

    def _file(self, delay: int, seed: int) -> Folder:
        return self.path / MEASUREMENTS / f"delay={delay}_seed={seed}.json"


def read_records(folder: Folder) -> Iterator[MeasurementRecord]:
    """Yields the measurements in a sweep's folder, by delay and seed. Raises InputError if a file is damaged."""
    with reading(folder):
        files = [file for file in (folder / MEASUREMENTS).glob("delay=*_seed=*.json")]
    yield from sorted((read_record(file) for file in files), key=lambda record: record.key)


def read_record(file: Folder) -> MeasurementRecord:
    """Returns the measurement in a file. Raises InputError if it is damaged."""
    values = cast("Object", read_json(file, _Record, remedy=REMEDY))
    try:
        return MeasurementRecord.from_json(values)
    except (TypeError, ValueError) as error:  # an unknown name, or a value out of its bounds
        raise InputError(f"{file} is damaged: {error}; {REMEDY}") from None
