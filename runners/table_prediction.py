"""What a refitted model predicts of the rows of a table, and how it forecasts a series."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tautune.records.errors import InputError
from tautune.runners.refitted import Refitted
from tautune.runners.tables import Array, Table, checked_width, read_array, read_csv

BATCH = 500
"""Rows that the model takes at once."""


def predict_rows(refitted: Refitted, file: Path) -> Table:
    """Returns a row of predictions for each row of a CSV, or for each input of a .npy file [N, *shape].

    Raises:
        InputError: the file has not what the model takes, or the model's outputs are not finite.
    """
    kept, shape = refitted.kept, tuple(refitted.kept["shape"])
    array = read_array(file) if file.suffix == ".npy" else _read_csv(file, _list(kept, "columns"), shape)
    if array.shape[1:] != shape:
        raise InputError(f"{file} has shape {array.shape}, and the model takes inputs (rows, {_csv(shape)})")
    if kept["tokens"] and array.dtype.kind not in "iu" and (array != np.round(array)).any():
        raise InputError(f"{file} holds {array.dtype}, and the model takes integers")
    inputs = torch.from_numpy(array.astype(np.int64 if kept["tokens"] else np.float32))
    outputs = refitted.outputs(inputs.split(BATCH))
    if "task" not in kept:
        return _classes(refitted, file, outputs.softmax(dim=1))
    if refitted.task.standardize:
        outputs = outputs.view(len(outputs), *kept["task"]["target_shape"])
    predictions = refitted.task.predict(refitted.scale.undone(outputs))
    numbers = _finite(file, predictions.reshape(len(predictions), -1))
    return Table(_names(_list(kept, "target_names"), numbers.shape[1]), numbers.double().tolist())


def forecast(refitted: Refitted, file: Path) -> Table:
    """Returns the steps that follow a series, the latest of whose steps are in a CSV, or in a .npy file [T, C].

    Raises:
        InputError: the file has fewer steps than the model's window, or not its channels.
    """
    kept = refitted.kept
    window, channels = kept["shape"]
    columns = _list(kept, "columns")
    array = read_array(file) if file.suffix == ".npy" else read_csv(file, columns, channels)
    array = checked_width(file, array[:, None] if array.ndim == 1 else array, columns, channels)
    if len(array) < window:
        raise InputError(f"{file} has {len(array)} steps, and the model looks back at {window}")
    inputs = torch.from_numpy(array[-window:].astype(np.float32)).unsqueeze(0)
    outputs = refitted.outputs([inputs]).view(1, kept["task"]["horizon"], channels)
    steps = _finite(file, refitted.scale.undone(outputs)[0])
    rows = [[step, *values] for step, values in enumerate(steps.double().tolist(), start=1)]
    return Table(["step", *(columns or _names([], channels, "forecast"))], rows)


def _read_csv(file: Path, columns: list[str], shape: tuple[int, ...]) -> Array:
    if len(shape) != 1:
        raise InputError(f"{file}: this model takes inputs of shape {shape}; give them as .npy, (rows, {_csv(shape)})")
    return checked_width(file, read_csv(file, columns, shape[0]), columns, shape[0])


def _classes(refitted: Refitted, file: Path, probabilities: Tensor) -> Table:
    names = refitted.kept["class_names"] or [str(number) for number in range(refitted.kept["classes"])]
    best = _finite(file, probabilities).max(dim=1)
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return Table(["class", "probability"], [[names[label], probability] for label, probability in pairs])


def _finite(file: Path, values: Tensor) -> Tensor:
    if not bool(values.isfinite().all()):
        raise InputError(
            f"the model's outputs for {file} are not finite; it diverged, or the input is far from its data"
        )
    return values


def _names(known: list[str], number: int, stem: str = "prediction") -> list[str]:
    if len(known) == number:
        return known
    return [stem] if number == 1 else [f"{stem}_{place}" for place in range(1, number + 1)]


def _list(kept: dict[str, object], name: str) -> list[str]:
    task = kept.get("task")
    return list(task.get(name, ())) if isinstance(task, dict) else []


def _csv(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape)) or str(math.prod(shape))
