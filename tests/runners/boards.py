"""What TensorBoard has of a tuning, compared with its table."""

from collections.abc import Iterable
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator as WithRestarts
from tensorboard.util import tensor_util

from tautune.records.event_files import BOARD
from tautune.records.storage import Folder
from tautune.runners.tuning_board import AGES


def check_each_epoch_once(folder: Folder, rows: Iterable[dict[str, Any]]) -> None:
    """Checks that each epoch of every trial is there, whatever a kill had lost, and none of them twice."""
    names = [place.name for place in (folder / BOARD).iterdir()]
    for row in rows:
        (name,) = (name for name in names if name.startswith(f"{int(row['number']):02d} "))
        events = EventAccumulator(f"{folder}/{BOARD}/{name}").Reload().Scalars("1 validation/accuracy")
        assert [event.step for event in events] == list(range(1, int(row["epochs_trained"]) + 1))


def ages_shown(folder: Folder, number: str) -> list[tuple[int, dict[int, float]]]:
    """Returns the histogram of ages at each epoch of a trial: each age with its number of gradients."""
    (name,) = (place.name for place in (folder / BOARD).iterdir() if place.name.split(" ")[0] == number)
    shown = WithRestarts(f"{folder}/{BOARD}/{name}", tensor_size_guidance={"histograms": 0}).Reload().Tensors(AGES)
    buckets = [(event.step, tensor_util.make_ndarray(event.tensor_proto).tolist()) for event in shown]
    return [(epoch, {round((low + high) / 2): number for low, high, number in own}) for epoch, own in buckets]
