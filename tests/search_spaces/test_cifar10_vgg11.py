"""The study for a GPU, on random files in the format of CIFAR-10, which is not on this machine."""

import hashlib
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10

from tautune.search_spaces.cifar10_vgg11 import STUDY
from tautune.search_spaces.space import combinations
from tautune.trainables.supervised import datasets
from tautune.trainables.supervised.hyperparameters import training_config
from tautune.trainables.supervised.sources import source_of
from tautune.trainables.supervised.supervised_training import SupervisedTraining
from tautune.trainables.theory.stability import max_stable_learning_rate

EACH = 4
"""Images in a file."""
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def written(path: Path, content: object) -> str:
    """Writes a file of CIFAR-10, and returns its MD5."""
    path.write_bytes(pickle.dumps(content))
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as torchvision leaves it, and torchvision takes its files for the published ones."""
    own = tmp_path / CIFAR10.base_folder
    own.mkdir()
    rng = np.random.default_rng(0)

    def batch(name: str) -> list[str]:
        pixels = rng.integers(0, 256, (EACH, 3 * 32 * 32), dtype=np.uint8)
        return [name, written(own / name, {"data": pixels, "labels": [7, *rng.integers(0, 10, EACH - 2).tolist(), 9]})]

    monkeypatch.setattr(CIFAR10, "train_list", [batch(name) for name, _ in CIFAR10.train_list])
    monkeypatch.setattr(CIFAR10, "test_list", [batch(name) for name, _ in CIFAR10.test_list])
    md5 = written(own / CIFAR10.meta["filename"], {"label_names": list(NAMES)})
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": md5})
    return tmp_path


def test_the_files_are_read_where_torchvision_puts_them(folder: Path) -> None:
    data = datasets.load("cifar10", folder)
    assert data.train.pixels.shape == (5 * EACH, 3, 32, 32)
    assert data.test.pixels.shape == (EACH, 3, 32, 32)
    assert data.class_names == NAMES
    last = pickle.loads((folder / CIFAR10.base_folder / "data_batch_5").read_bytes())
    assert data.train.targets[-EACH:].tolist() == last["labels"]
    red, green = last["data"][1, 5 * 32 + 6], last["data"][1, 1024 + 5 * 32 + 6]  # a plane a channel, row by row
    assert data.train.pixels[4 * EACH + 1, :2, 5, 6].tolist() == [red, green]
    itself = datasets.load("cifar10", folder / CIFAR10.base_folder)
    assert torch.equal(itself.train.pixels, data.train.pixels)


def test_each_of_its_trainings_is_at_the_same_share_of_the_threshold() -> None:
    configs = [training_config(STUDY.hyperparameters(one)) for one in combinations(STUDY.space)]
    plain = [config for config in configs if config.optimizer == "sgd" and config.normalized_rate == 0.1]
    assert [config.delay for config in plain] == [0, 4, 8, 16, 32]
    for config in plain:
        assert config.learning_rate == pytest.approx(0.1 * max_stable_learning_rate(1.0, int(config.delay)))


def test_its_network_trains_on_them_with_late_gradients(folder: Path) -> None:
    config = {**combinations(STUDY.setting({"delay": 1, "batch_size": 4, "precision": "float32"}).space)[0]}
    source = source_of(datasets.load("cifar10", folder).train, (torch.arange(12), torch.arange(12, 20)))
    training = SupervisedTraining(STUDY.model, config, source, outputs=10, horizon=2, seed=0)
    before = [parameter.clone() for parameter in training.model.parameters()]
    epoch = training.train_epoch()
    assert epoch.steps == 3
    assert math.isfinite(epoch.loss)
    assert all(not torch.equal(*pair) for pair in zip(before, training.model.parameters(), strict=True))
