"""A refitted model on disk, model.pt, with a digest of all that is used of it, so that damage is refused."""

import io
import json
from hashlib import sha256
from typing import Any, NotRequired, TypedDict

import torch
from torch import Tensor

from tautune.records.errors import InputError
from tautune.records.files import write_bytes
from tautune.records.storage import Folder, reading
from tautune.records.typed import Count, shaped
from tautune.runners.tuning_checks import damaged

Json = dict[str, Any]
NAMES = {"configuration", "config", "shape", "classes", "class_names", "tokens", "training"}
OPTIONAL = {"digest", "task", "vocabulary"}
"""What a classification of images has not, nor a file of an earlier version."""
LARGEST_INPUT = 10**9
"""Largest number of values of one input: a network is built for it before its weights are looked at."""


class _Task(TypedDict):
    """What predicting needs to know of a task other than the classification of images."""

    name: str
    columns: NotRequired[list[str]]
    target_names: NotRequired[list[str]]
    target_shape: NotRequired[list[Count]]
    horizon: NotRequired[Count]
    symbols: NotRequired[str]


def write_model(path: Folder, model: Json) -> None:
    """Writes the model as a whole or not at all."""
    buffer = io.BytesIO()
    torch.save(model | {"digest": _digest(model)}, buffer)
    write_bytes(path, buffer.getvalue())


def read_model(path: Folder) -> Json:
    """Returns the model. A file that was written before there were digests has none.

    Raises:
        InputError: the file is damaged, or holds something else.
    """
    with reading(path):
        content = path.read_bytes()
    try:
        model: Json = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
        names = set(model)
        if names - OPTIONAL not in (NAMES, NAMES - {"tokens"}):
            raise ValueError
        if "digest" in names and model.pop("digest") != _digest(model):
            raise ValueError
        _check_fields(model)
    except Exception:  # whatever a damaged file makes of torch's reader
        raise InputError(damaged(path)) from None
    return model


def _check_fields(model: Json) -> None:
    """Raises an exception of some kind unless the fields are of the types that they must have."""
    tuple(model["shape"]), model["config"].items(), model["class_names"]
    if "task" in model:
        shaped(model["task"], _Task)
    model["training"]["mean"] + model["training"]["deviation"], model["configuration"]["study"] + ""
    size = 1
    for length in (*model["shape"], model["classes"], model.get("vocabulary", 1)):
        size *= length
        if isinstance(length, bool) or not isinstance(length, int) or not 0 < size <= LARGEST_INPUT:
            raise ValueError


def _digest(model: Json) -> str:
    """Returns the SHA-256 of all names, plain values and tensors."""
    found = sha256()

    def add(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key in sorted(value):
                add(f"{name}/{key}", value[key])
        elif isinstance(value, Tensor):
            found.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            found.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        else:
            found.update(f"{name} {json.dumps(value)}\n".encode())

    add("", model)
    return found.hexdigest()
