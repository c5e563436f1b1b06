"""A kept model predicts from inputs of the kind that it was trained on, one of an earlier version too."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tautune.records.errors import InputError
from tautune.runners.prediction import predict
from tautune.search_spaces import digits_mlp
from tautune.trainables.supervised.models import build
from tautune.trainables.supervised.normalization import Normalization


class Sentence(nn.Module):
    """Its class is whether token 7 is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 2)
        with torch.no_grad():
            self.embedding.weight.copy_(torch.tensor([[0.1, 0.0]] * 7 + [[0.0, 9.0]] + [[0.1, 0.0]] * 2))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.embedding(tokens).sum(dim=1)  # type: ignore[no-any-return]


def sentences(shape: tuple[int, ...], classes: int) -> nn.Module:
    return Sentence()


def keep(folder: Path, model: nn.Module, normalize: Normalization, *, study: str, **more: Any) -> None:
    kept = {
        "configuration": {"study": study, "data": "the study's own", "model": "mlp"},
        "config": {},
        "class_names": [],
        "training": {
            "model": model.state_dict(),
            "epochs": 1,
            "mean": normalize.mean,
            "deviation": normalize.deviation,
        },
        **more,
    }
    torch.save(kept, folder / "model.pt")


def test_a_picture_of_too_many_pixels_is_refused(tmp_path: Path) -> None:
    study = digits_mlp.STUDY
    network = build(study.model, (1, 8, 8), 10, {})
    none = Normalization.of(torch.zeros(3, 1, 8, 8))
    keep(tmp_path, network, none, study="digits_mlp", shape=[1, 8, 8], classes=10)
    file = tmp_path / "large.png"
    Image.new("1", (13_000, 13_000)).save(file)  # 20 kB, and half a gigabyte of pixels in colour
    with pytest.raises(InputError, match=r"large.png is no image that can be read: .*exceeds limit"):
        predict(tmp_path, [file])


def test_tokens_arrive_as_integers(tmp_path: Path) -> None:
    none = Normalization.of(torch.zeros(3, 4, dtype=torch.int64))
    keep(tmp_path, Sentence(), none, study="words.py", shape=[4], classes=2, tokens=True)
    files = [tmp_path / "with.npy", tmp_path / "without.npy", tmp_path / "floats.npy"]
    for file, tokens in zip(files, ([1, 7, 2, 0], [1, 2, 3, 9], [0.5, 1.0, 2.0, 3.0]), strict=True):
        np.save(file, np.array(tokens))
    assert [p.label for p in predict(tmp_path, files[:2], model=sentences)] == ["1", "0"]
    with pytest.raises(InputError, match=r"floats.npy holds float64, and the model takes integers"):
        predict(tmp_path, files, model=sentences)


def test_a_model_of_an_earlier_version_predicts(tmp_path: Path) -> None:
    inputs = torch.randint(256, (20, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    normalize, model = Normalization.of(inputs), build("mlp", (1, 8, 8), 3, {})
    keep(tmp_path, model, normalize, study=digits_mlp.STUDY.name, shape=[1, 8, 8], classes=3)
    np.save(tmp_path / "one.npy", inputs[0].numpy())
    (prediction,) = predict(tmp_path, [tmp_path / "one.npy"])
    expected = model(normalize(inputs[:1])).softmax(dim=1).detach()
    assert prediction.label == str(int(expected.argmax()))
    assert prediction.probability == pytest.approx(float(expected.max()))
