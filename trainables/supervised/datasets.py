"""Data sets as tensors, training and test examples apart.

Shapes: N examples of any shape; for images C channels, H × W pixels. Pixels stay bytes until a batch of them is used.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tautune.trainables.supervised.data_files import (
    CIFAR10_FOLDER,
    MNIST_KINDS,
    DataError,
    check_data,
    cifar10_folder,
    cifar10_places,
    digits_file,
    download_failed,
    downloads,
    mnist_arrays,
)
from tautune.trainables.supervised.normalization import Normalization, are_tokens
from tautune.trainables.supervised.splits import splits


@dataclass(frozen=True)
class Images:
    """Examples, images or not, and the class of each.

    Raises:
        ValueError: there are not as many examples as targets, or the examples are not numbers.
    """

    pixels: Tensor
    """uint8 [N, C, H, W] for images, or numbers [N, …]; integers other than bytes are taken for tokens."""
    targets: Tensor
    """Class of each example, int64 [N]."""

    def __post_init__(self) -> None:
        for name, values in (("pixels", self.pixels), ("targets", self.targets)):
            if not isinstance(values, Tensor):
                raise ValueError(f"{name} must be a torch.Tensor, not {type(values).__name__}; see torch.from_numpy")
        if len(self.pixels) != len(self.targets):
            raise ValueError(f"there are {len(self.pixels)} images, but {len(self.targets)} targets")
        if not self.targets.is_floating_point() and self.targets.dtype != torch.int64:
            object.__setattr__(self, "targets", self.targets.long())
        if self.pixels.is_complex():
            raise ValueError(f"pixels must be bytes, integers or floating point, not {self.pixels.dtype}")

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, indices: Tensor) -> "Images":
        return Images(self.pixels[indices], self.targets[indices])

    @property
    def shape(self) -> tuple[int, ...]:
        """Returns the shape of one example: (C, H, W) for images."""
        return tuple(self.pixels.shape[1:])

    def to(self, device: torch.device | str) -> "Images":
        """Returns the same examples on another device."""
        return Images(self.pixels.to(device), self.targets.to(device))

    def parts(self, batches: Iterable[Tensor]) -> "Iterator[Images]":
        """Yields the examples of each batch of numbers."""
        return (self[batch.to(self.targets.device)] for batch in batches)

    def normalization(self, numbers: Tensor, *, wanted: bool) -> Normalization:
        """Returns that of the inputs, by the numbered examples."""
        return Normalization.of(self.pixels[numbers.to(self.pixels.device)], wanted=wanted)

    def scale(self, numbers: Tensor) -> Normalization:
        """Returns that of the targets, by the numbered examples; each number of a target has its own."""
        targets = self.targets[numbers.to(self.targets.device)]
        return Normalization.of(targets.unsqueeze(1) if targets.ndim == 1 else targets)


@dataclass(frozen=True)
class ImageData:
    """A data set as its makers split it. The test examples are for one evaluation, after all tuning is done.

    Raises:
        ValueError: something would spoil a training, or its one evaluation, later.
    """

    train: Images
    test: Images
    class_names: tuple[str, ...] = ()
    """Names in the order of the classes' numbers; without them, the numbers are the names."""

    def __post_init__(self) -> None:
        for part, images in (("training", self.train), ("test", self.test)):
            targets = images.targets
            if not len(images):
                raise ValueError(f"there are no {part} examples")
            if targets.is_floating_point() or int(targets.min()) < 0:
                raise ValueError(
                    f"{part} targets must be classes 0, 1, 2 …, not {targets.dtype}, {targets[:3].tolist()}"
                )
            if images.pixels.is_floating_point() and not bool(images.pixels.isfinite().all()):
                raise ValueError(f"{part} inputs must be finite numbers; there are NaN or infinite ones")
        if self.test.shape != self.train.shape:
            raise ValueError(
                f"test inputs must have the training inputs' shape {self.train.shape}, not {self.test.shape}"
            )
        if int(self.test.targets.max()) >= self.classes:
            raise ValueError(f"there is no training input of class {int(self.test.targets.max())}, and a test input is")
        if self.class_names and len(self.class_names) != self.classes:
            raise ValueError(f"there must be {self.classes} class names, or none, not {len(self.class_names)}")

    @property
    def classes(self) -> int:
        """Returns how many classes there are."""
        return int(self.train.targets.max()) + 1

    @property
    def held_out(self) -> Images:
        """Returns the examples of the test."""
        return self.test

    @property
    def vocabulary(self) -> int | None:
        """Returns how many token ids there are, or None for inputs that are no tokens."""
        return vocabulary_of(self.train, self.test)


def vocabulary_of(*parts: Images) -> int | None:
    """Returns how many token ids there are in some inputs, or None if they are no tokens."""
    return max(int(part.pixels.max()) for part in parts) + 1 if are_tokens(parts[0].pixels) else None


def load(name: str, data_dir: Path | None = None) -> ImageData:
    """Returns the built-in data set of that name.

    It is looked for in `data_dir`, $TAUTUNE_DATA, the system's shared data (where Debian's dataset-fashion-mnist puts
    it) and the user's cache. If it is in none of them, it is downloaded into the cache.

    Raises:
        DataError: there is no such data set or folder, it cannot be downloaded, or a file is not the published one.
    """
    check_data(name, data_dir)
    if name == "digits":
        return _digits()
    return _cifar10(data_dir) if name == "cifar10" else _mnist(name, data_dir)


def scikit_learns_digits() -> tuple[Tensor, Tensor]:
    """Returns its pixels [1797, 64], 0…16, float64, and its classes [1797]."""
    table = torch.from_numpy(np.loadtxt(digits_file(), delimiter=",", dtype=np.int64))
    return table[:, :-1].double(), table[:, -1].clone()


def _digits() -> ImageData:
    """Returns scikit-learn's digits, 0…16 as bytes 0…255; a fifth of them, always the same, is the test set."""
    pixels, targets = scikit_learns_digits()
    images = (pixels * 255 / 16).round().to(torch.uint8).view(-1, 1, 8, 8)
    everything = Images(images, targets)
    (training, test), *_ = splits(everything.targets, share=0.2)
    return ImageData(everything[training], everything[test])


def _mnist(name: str, data_dir: Path | None) -> ImageData:
    pixels, targets, test_pixels, test_targets = (torch.from_numpy(a) for a in mnist_arrays(name, data_dir))
    train, test = Images(pixels.unsqueeze(1), targets), Images(test_pixels.unsqueeze(1), test_targets)
    return ImageData(train, test, MNIST_KINDS[name].class_names)


def _cifar10(data_dir: Path | None) -> ImageData:
    from torchvision.datasets import CIFAR10

    found = cifar10_folder(data_dir)
    try:
        parts = [CIFAR10(found or downloads(), train=train, download=found is None) for train in (True, False)]
    except (OSError, RuntimeError) as error:
        if found:
            expected = ", ".join(f"{file} {checksum}" for file, checksum in [*CIFAR10.train_list, *CIFAR10.test_list])
            raise DataError(f"{found / CIFAR10_FOLDER} is not the published data; its MD5s: {expected}") from None
        raise download_failed("cifar10", cifar10_places(data_dir), error) from None
    train, test = (
        Images(torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(part.targets))
        for part in parts
    )
    return ImageData(train, test, tuple(parts[0].classes))
