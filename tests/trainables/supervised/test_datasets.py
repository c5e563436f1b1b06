import gzip
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from tautune.trainables.supervised import data_files, datasets
from tautune.trainables.supervised.data_files import DataError
from tautune.trainables.supervised.datasets import ImageData, Images
from tautune.trainables.supervised.normalization import Normalization


def test_digits_are_read_as_scikit_learn_does() -> None:
    pixels, digits = datasets.scikit_learns_digits()
    expected = load_digits(return_X_y=True)
    assert np.array_equal(pixels, expected[0])
    assert np.array_equal(digits, expected[1])


def test_digits_are_scikit_learns_with_a_fifth_held_out() -> None:
    data = datasets.load("digits")
    assert data.train.pixels.shape == (1437, 1, 8, 8)
    assert data.test.pixels.shape == (360, 1, 8, 8)
    assert data.classes == 10
    assert (int(data.train.pixels.min()), int(data.train.pixels.max())) == (0, 255)
    assert torch.equal(data.test.pixels, datasets.load("digits").test.pixels)


def test_unknown_data_are_answered_with_the_known() -> None:
    with pytest.raises(DataError, match="data must be one of cifar10, digits, fashion_mnist, mnist, not 'minst'"):
        datasets.load("minst")


def write_idx(folder: Path, name: str, array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}i", *array.shape)
    (folder / name).write_bytes(gzip.compress(header + array.tobytes()))


def test_a_foreign_file_is_named_with_its_expected_checksum(tmp_path: Path) -> None:
    for part, count in (("train", 6), ("t10k", 4)):
        write_idx(tmp_path, f"{part}-images-idx3-ubyte.gz", np.zeros((count, 28, 28), np.uint8))
        write_idx(tmp_path, f"{part}-labels-idx1-ubyte.gz", np.zeros(count, np.uint8))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz is not .* not 8d4fb7e6c68d591d4c3dfef9ec88bf0d"):
        datasets.load("fashion_mnist", tmp_path)


def test_idx_files_are_read_as_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    array = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    write_idx(tmp_path, "x.gz", array)
    published = hashlib.md5((tmp_path / "x.gz").read_bytes()).hexdigest()
    assert np.array_equal(data_files.read_idx(tmp_path / "x.gz", published), array)
    (tmp_path / "x.gz").write_bytes((tmp_path / "x.gz").read_bytes()[:-5])
    with pytest.raises(DataError, match="is not the published file"):
        data_files.read_idx(tmp_path / "x.gz", published)


def test_data_not_found_say_where_they_were_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision

    def offline(*args: object, **options: object) -> None:
        raise RuntimeError("Error downloading:\nno network")

    monkeypatch.setattr(
        torchvision.datasets, "MNIST", type("MNIST", (torchvision.datasets.MNIST,), {"__init__": offline})
    )
    given = tmp_path / "given"
    with pytest.raises(DataError, match="there is no folder .*given to look for mnist in"):
        datasets.load("mnist", given)
    given.mkdir()
    monkeypatch.setenv("TAUTUNE_DATA", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "shared"))
    monkeypatch.setenv("TAUTUNE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DataError, match="could not be downloaded: no network; .*--data-dir") as raised:
        datasets.load("mnist", given)
    for place in ("given", "own", "shared/datasets", "cache/data"):
        assert str(tmp_path / place) in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_cifar10_lies_where_torchvision_puts_it(tmp_path: Path) -> None:
    from torchvision.datasets import CIFAR10

    assert CIFAR10.base_folder == data_files.CIFAR10_FOLDER
    (tmp_path / CIFAR10.base_folder).mkdir()
    assert data_files.is_here("cifar10", tmp_path)
    with pytest.raises(DataError, match="is not the published data; its MD5s: data_batch_1 c99cafc152244af7"):
        datasets.load("cifar10", tmp_path)


@pytest.mark.parametrize("name", data_files.MNIST_KINDS)
def test_files_and_classes_are_torchvisions(name: str) -> None:
    import torchvision

    kind = data_files.MNIST_KINDS[name]
    published = getattr(torchvision.datasets, kind.torchvision)
    assert list(zip(data_files.IDX_FILES, kind.checksums, strict=True)) == published.resources
    assert list(kind.class_names) == published.classes


FASHION = next((f for f in data_files.search_folders(None) if (f / "fashion-mnist").is_dir()), None)


@pytest.mark.skipif(FASHION is None, reason="needs Debian's dataset-fashion-mnist")
def test_fashion_mnist_whole_and_truncated(tmp_path: Path) -> None:
    data = datasets.load("fashion_mnist")
    assert data.train.pixels.shape == (60_000, 1, 28, 28)
    assert torch.bincount(data.train.targets).tolist() == [6000] * 10
    assert len(data.test) == 10_000
    assert data.class_names[9] == "Ankle boot"
    assert float(Normalization.of(data.train.pixels).mean) / 255 == pytest.approx(0.2860, abs=1e-4)
    assert FASHION is not None
    with pytest.raises(DataError, match="train-images-idx3-ubyte.gz is not the published file"):
        datasets.load("mnist", FASHION / "fashion-mnist")  # the same names, other images
    shutil.copytree(FASHION / "fashion-mnist", tmp_path / "fashion-mnist")
    file = tmp_path / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte.gz is not the published file"):
        datasets.load("fashion_mnist", tmp_path)


def test_data_that_would_spoil_a_training_are_refused() -> None:
    good = Images(torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2], dtype=torch.int32))
    assert ImageData(good, good).train.targets.dtype == torch.int64
    bad = {
        "training inputs must be finite": (Images(good.pixels / 0, good.targets), good, ()),
        "test inputs must have the training inputs' shape": (good, Images(torch.randn(6, 2), good.targets), ()),
        "training targets must be classes 0, 1, 2": (Images(good.pixels, good.targets - 1), good, ()),
        "test targets must be classes 0, 1, 2 …, not torch.float32": (good, Images(good.pixels, torch.zeros(6)), ()),
        "no training input of class 3": (good, Images(good.pixels, good.targets + 1), ()),
        "there must be 3 class names, or none, not 2": (good, good, ("a", "b")),
        "there are no test examples": (good, Images(good.pixels[:0], good.targets[:0]), ()),
    }
    for message, (train, test, names) in bad.items():
        with pytest.raises(ValueError, match=message):
            ImageData(train, test, names)
