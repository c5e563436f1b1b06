"""Image data sets as tensors: found on disk or downloaded, checked, split, normalized.

Shapes: N images, C channels, H × W pixels. Pixels stay bytes until a batch of them is used. A user's own data may as
well be numbers of any shape [N, C, …].
"""

import gzip
import hashlib
import importlib.util
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tautune.trainables.classifier.splits import splits


class DataError(ValueError):
    """A data set that is not to be had, or a file of it that is not what it should be."""


@dataclass(frozen=True)
class Images:
    pixels: Tensor
    """uint8 [N, C, H, W], or floating point [N, C, …]"""
    targets: Tensor
    """Class of each image, int64 [N]."""

    def __post_init__(self) -> None:
        if len(self.pixels) != len(self.targets):
            raise ValueError(f"there are {len(self.pixels)} images, but {len(self.targets)} targets")
        if not self.targets.is_floating_point() and self.targets.dtype != torch.int64:
            object.__setattr__(self, "targets", self.targets.long())
        if self.pixels.dtype != torch.uint8 and not self.pixels.is_floating_point():
            raise ValueError(f"pixels must be bytes or floating point, not {self.pixels.dtype}")

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, indices: Tensor) -> "Images":
        return Images(self.pixels[indices], self.targets[indices])

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W)"""
        return tuple(self.pixels.shape[1:])

    def to(self, device: torch.device | str) -> "Images":
        return Images(self.pixels.to(device), self.targets.to(device))


@dataclass(frozen=True)
class ImageData:
    """A data set as its makers split it. The test images are for one evaluation, after all tuning is done."""

    train: Images
    test: Images
    class_names: tuple[str, ...] = ()
    """In the order of their numbers; the numbers themselves where there are none."""

    def __post_init__(self) -> None:
        """Raises ValueError for what would spoil a training, or its one evaluation, later."""
        for part, images in (("training", self.train), ("test", self.test)):
            targets = images.targets
            if targets.is_floating_point() or not len(targets) or int(targets.min()) < 0:
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
        return int(self.train.targets.max()) + 1


def load(name: str, data_dir: Path | None = None) -> ImageData:
    """The data set of that name.

    It is looked for in `data_dir`, $TAUTUNE_DATA, the system's shared data (where Debian's dataset-fashion-mnist puts
    it) and the user's cache; not found there, it is downloaded into the cache.

    Raises:
        DataError: no such data set; not found and not downloadable; or a file with another content than published.
    """
    if name not in LOADERS:
        raise DataError(f"data must be one of {', '.join(sorted(LOADERS))}, not {name!r}")
    return LOADERS[name](data_dir)


def is_here(name: str, data_dir: Path | None = None) -> bool:
    """Whether `load` would find the data set on this machine."""
    if name == "digits":
        return True
    if name == "cifar10":
        return _cifar10_folder(data_dir) is not None
    if name in MNIST_KINDS:
        return mnist_folder(MNIST_KINDS[name], data_dir) is not None
    raise DataError(f"data must be one of {', '.join(sorted(LOADERS))}, not {name!r}")


def search_folders(data_dir: Path | None) -> Iterator[Path]:
    """Where data sets are looked for, best first."""
    if data_dir:
        yield data_dir
    if own := os.environ.get("TAUTUNE_DATA"):
        yield Path(own)
    for shared in os.environ.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":"):
        yield Path(shared) / "datasets"
    yield _downloads()


def cache_folder() -> Path:
    """$TAUTUNE_CACHE, else tautune/ in $XDG_CACHE_HOME or ~/.cache."""
    own = os.environ.get("TAUTUNE_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tautune"


def _downloads() -> Path:
    return cache_folder() / "data"


def scikit_learns_digits() -> tuple[Tensor, Tensor]:
    """Its pixels [1797, 64], 0…16, float64, and classes [1797]: from its file, as importing it takes a second."""
    spec = importlib.util.find_spec("sklearn")
    assert spec is not None
    assert spec.submodule_search_locations
    file = Path(spec.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
    table = torch.from_numpy(np.loadtxt(file, delimiter=",", dtype=np.int64))
    return table[:, :-1].double(), table[:, -1].clone()


def _digits(data_dir: Path | None) -> ImageData:
    """scikit-learn's 1,797 digits, 0…16 as bytes 0…255; a fifth of them, always the same, is the test set."""
    pixels, targets = scikit_learns_digits()
    images = (pixels * 255 / 16).round().to(torch.uint8).view(-1, 1, 8, 8)
    everything = Images(images, targets)
    (training, test), *_ = splits(everything.targets, share=0.2)
    return ImageData(everything[training], everything[test])


IDX_FILES = (
    *("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    *("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
)


@dataclass(frozen=True)
class Published:
    """A data set of `IDX_FILES` as torchvision knows it, whose import takes a second and a half."""

    folder: str
    """Among shared data."""
    torchvision: str
    """torchvision's class, which downloads it."""
    checksums: tuple[str, ...]
    """The files' MD5."""
    class_names: tuple[str, ...]
    contents: tuple[str, ...] = ("",) * len(IDX_FILES)
    """The SHA-256 of what the files hold, where somebody packs them anew."""


MNIST_KINDS = {
    "fashion_mnist": Published(
        folder="fashion-mnist",
        torchvision="FashionMNIST",
        checksums=(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
        class_names=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        contents=(  # Debian
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
    "mnist": Published(
        folder="mnist",
        torchvision="MNIST",
        checksums=(
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
        class_names=(
            *("0 - zero", "1 - one", "2 - two", "3 - three", "4 - four"),
            *("5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine"),
        ),
    ),
}


def _mnist_places(kind: Published, data_dir: Path | None) -> list[Path]:
    folders = search_folders(data_dir)
    return [p for base in folders for p in (base, base / kind.folder, base / kind.torchvision / "raw")]


def mnist_folder(kind: Published, data_dir: Path | None = None) -> Path | None:
    """The first of the folders that are looked in which holds all files; None if none does."""
    places = _mnist_places(kind, data_dir)
    return next((p for p in places if all((p / file).is_file() for file in IDX_FILES)), None)


def _mnist_kind(name: str) -> Callable[[Path | None], ImageData]:
    def loader(data_dir: Path | None) -> ImageData:
        kind = MNIST_KINDS[name]
        found = mnist_folder(kind, data_dir) or _download(name, _mnist_places(kind, data_dir))
        published = zip(IDX_FILES, kind.checksums, kind.contents, strict=True)
        arrays = [_read_idx(found / file, checksum, content) for file, checksum, content in published]
        images = [torch.from_numpy(a).unsqueeze(1) for a in arrays[::2]]
        targets = [torch.from_numpy(a).long() for a in arrays[1::2]]
        return ImageData(Images(images[0], targets[0]), Images(images[1], targets[1]), kind.class_names)

    return loader


def _download(name: str, places: list[Path]) -> Path:
    import torchvision

    cache, kind = _downloads(), MNIST_KINDS[name]
    try:
        getattr(torchvision.datasets, kind.torchvision)(cache, download=True)
    except (OSError, RuntimeError) as error:
        _remove_empty(cache)
        reason = str(error).strip().splitlines()[-1]
        raise DataError(_not_found(name, places, reason)) from None
    return cache / kind.torchvision / "raw"


def _remove_empty(folder: Path) -> None:
    """What a download that got nothing has left."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    for path in (folder, folder.parent):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _not_found(name: str, places: list[Path], reason: str) -> str:
    looked = ", ".join(dict.fromkeys(str(place) for place in places))
    package = " (Debian: apt-get install dataset-fashion-mnist)" if name == "fashion_mnist" else ""
    return (
        f"{name} is not in {looked} and could not be downloaded: {reason}; "
        f"put its files into one of these, or name their folder with --data-dir{package}"
    )


def _read_idx(path: Path, checksum: str, published: str = "") -> NDArray[np.uint8]:
    """The array of a gzipped idx file of bytes: the published file, or its content, of that SHA-256, packed anew."""
    packed = path.read_bytes()
    actual = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    try:
        content = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error):
        content = b""
    if actual != checksum and hashlib.sha256(content).hexdigest() != published:
        raise DataError(f"{path} is not the published file: its MD5 is {actual}, not {checksum}; remove or replace it")
    dimensions = content[3]
    shape = np.frombuffer(content, ">i4", count=dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape).copy()


def _cifar10_folder(data_dir: Path | None) -> Path | None:
    """The folder that torchvision is to be given."""
    from torchvision.datasets import CIFAR10

    return next((p for p in search_folders(data_dir) if (p / CIFAR10.base_folder).is_dir()), None)


def _cifar10(data_dir: Path | None) -> ImageData:
    from torchvision.datasets import CIFAR10

    places = list(search_folders(data_dir))
    found = _cifar10_folder(data_dir)
    try:
        parts = [CIFAR10(found or _downloads(), train=train, download=found is None) for train in (True, False)]
    except (OSError, RuntimeError) as error:
        if found:
            expected = ", ".join(f"{file} {checksum}" for file, checksum in [*CIFAR10.train_list, *CIFAR10.test_list])
            raise DataError(f"{found / CIFAR10.base_folder} is not the published data; its MD5s: {expected}") from None
        _remove_empty(_downloads())
        raise DataError(_not_found("cifar10", places, str(error).strip().splitlines()[-1])) from None
    train, test = (
        Images(torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(part.targets))
        for part in parts
    )
    return ImageData(train, test, tuple(parts[0].classes))


LOADERS: dict[str, Callable[[Path | None], ImageData]] = {
    "digits": _digits,
    "fashion_mnist": _mnist_kind("fashion_mnist"),
    "mnist": _mnist_kind("mnist"),
    "cifar10": _cifar10,
}
