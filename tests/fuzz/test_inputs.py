"""Whatever a picture or an array holds that is predicted with, it is read whole, or refused in one line."""

import io
import random
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tautune.runners.prediction import _read
from tests.fuzz.test_files import SEEDS, SETTINGS, refused_in_one_line
from tests.records.test_damage import damaged

KINDS = {".png": "RGBA", ".jpg": "RGB", ".gif": "P", ".webp": "RGB", ".bmp": "RGB", ".tiff": "I;16", ".npy": ""}


@cache
def whole(kind: str) -> bytes:
    """Returns a small file of that kind that is not damaged."""
    noise, mode, file = np.random.default_rng(0), KINDS[kind], io.BytesIO()
    if kind == ".npy":
        np.save(file, noise.random((3, 8, 8)).astype(np.float32))
    elif mode == "I;16":
        Image.fromarray(noise.integers(0, 2**16, (16, 16), dtype=np.uint16)).save(file, "tiff")
    else:
        picture = Image.fromarray(noise.integers(0, 256, (16, 16, 3), dtype=np.uint8)).convert(mode)
        picture.save(file, Image.registered_extensions()[kind])
    return file.getvalue()


@settings(max_examples=2000, **SETTINGS)
@given(seed=SEEDS, kind=st.sampled_from(sorted(KINDS)))
def test_a_damaged_input_is_read_or_refused(seed: int, kind: str, tmp_path: Path) -> None:
    file = tmp_path / f"an_input{kind}"
    file.write_bytes(damaged(whole(kind), random.Random(seed)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused_in_one_line(lambda: used(_read(file, (3, 8, 8))))


def used(pixels: torch.Tensor) -> None:
    """Asks for what a prediction needs of an input."""
    assert pixels.shape == (1, 3, 8, 8)
    assert bool(pixels.isfinite().all())
