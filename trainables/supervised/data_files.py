"""The files of the built-in data sets: where they lie, how they get there, and whether they are the published ones.

Nothing here imports torch, unless a data set has to be downloaded, which torchvision does.
"""

import gzip
import hashlib
import importlib.util
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class DataError(ValueError):
    """A data set cannot be found or downloaded, or one of its files is not the published one."""


IDX_FILES = (
    *("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    *("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
)
CIFAR10_FOLDER = "cifar-10-batches-py"


@dataclass(frozen=True)
class Published:
    """A data set of `IDX_FILES` as torchvision knows it; torchvision itself takes a second and a half to import."""

    folder: str
    """Its folder among shared data."""
    torchvision: str
    """The class of torchvision that downloads it."""
    checksums: tuple[str, ...]
    """The MD5 of each file."""
    class_names: tuple[str, ...]
    contents: tuple[str, ...] = ("",) * len(IDX_FILES)
    """The SHA-256 of the contents of each file, for files that somebody has compressed again."""


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
        contents=(  # Debian's package
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
DATA_NAMES = ("cifar10", "digits", "fashion_mnist", "mnist")


def check_data(name: str, data_dir: Path | None = None) -> None:
    """Raises DataError if there is no such data set, or no such folder to look for it in first."""
    if name not in DATA_NAMES:
        raise DataError(f"data must be one of {', '.join(DATA_NAMES)}, not {name!r}")
    if data_dir is not None and not data_dir.is_dir():
        raise DataError(f"there is no folder {data_dir} to look for {name} in")


def is_here(name: str, data_dir: Path | None = None) -> bool:
    """Returns whether the data set lies on this machine, so that it need not be downloaded."""
    check_data(name)
    if name == "cifar10":
        return cifar10_folder(data_dir) is not None
    return name == "digits" or mnist_folder(MNIST_KINDS[name], data_dir) is not None


def search_folders(data_dir: Path | None) -> Iterator[Path]:
    """Yields the folders in which data sets are looked for, the first choice first."""
    if data_dir:
        yield data_dir
    if own := os.environ.get("TAUTUNE_DATA"):
        yield Path(own)
    for shared in os.environ.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":"):
        yield Path(shared) / "datasets"
    yield downloads()


def cache_folder() -> Path:
    """Returns $TAUTUNE_CACHE, or else tautune/ in $XDG_CACHE_HOME or ~/.cache."""
    own = os.environ.get("TAUTUNE_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tautune"


def downloads() -> Path:
    """Returns the folder for data sets that are downloaded."""
    return cache_folder() / "data"


def digits_file() -> Path:
    """Returns the file of scikit-learn's digits, found without importing scikit-learn, which takes a second."""
    spec = importlib.util.find_spec("sklearn")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")


def cifar10_folder(data_dir: Path | None = None) -> Path | None:
    """Returns the folder to give to torchvision, or None if CIFAR-10 is not on this machine."""
    return next((p.parent for p in cifar10_places(data_dir) if p.is_dir()), None)


def cifar10_places(data_dir: Path | None = None) -> list[Path]:
    """Returns the folders in which the files of CIFAR-10 may lie; `data_dir` is one of them, or holds it."""
    own = [data_dir] if data_dir and data_dir.name == CIFAR10_FOLDER else []
    return own + [p / CIFAR10_FOLDER for p in search_folders(data_dir)]


def mnist_folder(kind: Published, data_dir: Path | None = None) -> Path | None:
    """Returns the first of the searched folders that holds all files, or None."""
    places = _mnist_places(kind, data_dir)
    return next((p for p in places if all((p / file).is_file() for file in IDX_FILES)), None)


def _mnist_places(kind: Published, data_dir: Path | None) -> list[Path]:
    folders = search_folders(data_dir)
    return [p for base in folders for p in (base, base / kind.folder, base / kind.torchvision / "raw")]


def mnist_arrays(name: str, data_dir: Path | None) -> list[NDArray[np.uint8]]:
    """Returns training images [N, H, W] and classes [N], then those of the test, downloaded if they have to be.

    Raises:
        DataError: they can neither be found nor downloaded, or a file is not the published one.
    """
    kind = MNIST_KINDS[name]
    found = mnist_folder(kind, data_dir) or _download_mnist(name, data_dir)
    published = zip(IDX_FILES, kind.checksums, kind.contents, strict=True)
    return [read_idx(found / file, checksum, content) for file, checksum, content in published]


def _download_mnist(name: str, data_dir: Path | None) -> Path:
    import torchvision

    cache, kind = downloads(), MNIST_KINDS[name]
    try:
        getattr(torchvision.datasets, kind.torchvision)(cache, download=True)
    except (OSError, RuntimeError) as error:
        raise download_failed(name, _mnist_places(kind, data_dir), error) from None
    return cache / kind.torchvision / "raw"


def download_failed(name: str, places: list[Path], error: Exception) -> DataError:
    """Removes the empty folders that a failed download has left; returns the error that says where data may lie."""
    cache = downloads()
    for path in (*sorted(cache.rglob("*"), reverse=True), cache, cache.parent):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    looked = ", ".join(dict.fromkeys(str(place) for place in places))
    package = " (Debian: apt-get install dataset-fashion-mnist)" if name == "fashion_mnist" else ""
    return DataError(
        f"{name} is not in {looked} and could not be downloaded: {str(error).strip().splitlines()[-1]}; "
        f"put its files into one of these folders, or give their folder (--data-dir, data_dir=){package}"
    )


def read_idx(path: Path, checksum: str, published: str = "") -> NDArray[np.uint8]:
    """Returns the array of bytes in a gzipped idx file.

    Raises:
        DataError: neither is the file's MD5 `checksum`, nor the SHA-256 of its contents `published`.
    """
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
