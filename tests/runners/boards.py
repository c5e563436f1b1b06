"""What TensorBoard has of a tuning, compared with its table."""

from collections.abc import Iterable
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tautune.records.event_files import BOARD
from tautune.records.storage import Folder


def check_each_epoch_once(folder: Folder, rows: Iterable[dict[str, Any]]) -> None:
    """Checks that each epoch of every trial is there, whatever a kill had lost, and none of them twice."""
    names = [place.name for place in (folder / BOARD).iterdir()]
    for row in rows:
        (name,) = (name for name in names if name.startswith(f"{int(row['number']):02d} "))
        events = EventAccumulator(f"{folder}/{BOARD}/{name}").Reload().Scalars("1 validation/accuracy")
        assert [event.step for event in events] == list(range(1, int(row["epochs_trained"]) + 1))
