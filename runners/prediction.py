"""Which class an image is of, by a refitted model with the normalization that it was trained with."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from tautune.records.errors import InputError
from tautune.records.storage import Folder
from tautune.runners.model_file import read_model
from tautune.runners.refitted import Refitted
from tautune.runners.tables import read_array
from tautune.runners.tuning_checks import check_prediction
from tautune.trainables.supervised.models import Model

BATCH = 500
"""Images that the model takes at once."""


@dataclass(frozen=True)
class Prediction:
    """What the model says of one file."""

    file: str
    label: str
    """Name of the class, or its number where the data set names none."""
    probability: float
    """What the model gives to that class; not calibrated."""


def predict(folder: Folder, files: list[Path], *, model: str | Model | None = None) -> list[Prediction]:
    """Returns one prediction an image.

    Images are brought to the size and the colours of the model; .npy arrays must have the shape of its input, and
    the scale of the training data, which for the built-in images is 0 to 255.

    Args:
        model: that of the study, unless it is a built-in one: what the folder names is not run.

    Raises:
        InputError: the folder has no model, a file is no image, or the model's outputs are not finite.
    """
    check_prediction(folder, files)
    kept = read_model(folder / "model.pt")
    shape = tuple(kept["shape"])
    inputs = [_read(file, shape, tokens=kept.get("tokens", False)) for file in files]
    probabilities = Refitted.of(folder, kept, model=model).outputs(torch.cat(inputs).split(BATCH)).softmax(dim=1)
    if not probabilities.isfinite().all():
        wrong = files[int((~probabilities.isfinite().all(dim=1)).nonzero()[0])]
        raise InputError(
            f"the model's outputs for {wrong} are not finite; it diverged, or the input is far from its data"
        )
    names = kept["class_names"] or [str(number) for number in range(kept["classes"])]
    best = probabilities.max(dim=1)
    return [
        Prediction(str(file), names[label], probability)
        for file, label, probability in zip(files, best.indices.tolist(), best.values.tolist(), strict=True)
    ]


def _read(file: Path, shape: tuple[int, ...], *, tokens: bool = False) -> Tensor:
    """Returns an input [1, *shape]: bytes for an image, integers for tokens, else float32."""
    if file.suffix == ".npy":
        return _read_array(file, shape, tokens=tokens)
    if tokens or len(shape) != 3 or shape[0] not in (1, 3):
        raise InputError(f"{file}: this model takes arrays of shape {shape}, not images; give it as .npy")
    channels, height, width = shape
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damage beside the pixels
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # a few bytes can be gigabytes of pixels
            with Image.open(file) as image:
                picture = _eight_bits(ImageOps.exif_transpose(image), file)
    except InputError:
        raise
    except Exception as error:  # Pillow's readers raise many kinds for what is no image
        raise InputError(f"{file} is no image that can be read: {error}") from None
    fitted = picture.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(fitted)).view(1, height, width, channels).permute(0, 3, 1, 2)


def _eight_bits(image: Image.Image, file: Path) -> Image.Image:
    """Returns the image with 16 bits scaled to 8, and on white where it is transparent."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.float64) / 257).round().astype(np.uint8))
    if image.mode in ("I", "F"):
        raise InputError(f"{file} has pixels of mode {image.mode}, whose range is not known; save it with 8 or 16 bits")
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image.convert("RGBA"))
    return image


def _read_array(file: Path, shape: tuple[int, ...], *, tokens: bool) -> Tensor:
    array = read_array(file)
    if array.shape != shape:
        raise InputError(f"{file} has shape {array.shape}, and the model takes {shape}")
    if tokens and array.dtype.kind not in "iu":
        raise InputError(f"{file} holds {array.dtype}, and the model takes integers")
    return torch.from_numpy(array.astype(np.int64 if tokens else np.float32)).unsqueeze(0)
