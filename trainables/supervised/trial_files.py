"""A trial's checkpoint on disk: trial.pt, and trial.json, which says what it must be."""

import io
import json
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

STATE = "trial.pt"
DESCRIPTION = "trial.json"
FORMAT = 1
"""Version of both files."""


def write_state(folder: Path, state: Any, *, epochs: int) -> None:
    """Writes a checkpoint; trial.json comes last, so that a torn checkpoint has none."""
    torch.save(state, folder / STATE)
    description = {
        "format": FORMAT,
        "epochs": epochs,
        "sha256": sha256((folder / STATE).read_bytes()).hexdigest(),
        "saved": time.time(),
    }
    (folder / DESCRIPTION).write_text(json.dumps(description))


def read_state(content: bytes, device: str) -> Any:
    """Returns the state in the content of trial.pt, from which nothing but tensors and plain values is unpickled."""
    return torch.load(io.BytesIO(content), weights_only=True, map_location=device)
