"""The best configuration trained once more, and what its model says of images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from ray import tune

from tautune._tuned import refit
from tautune.records.errors import InputError
from tautune.records.files import write_json
from tautune.runners import prediction
from tautune.runners.prediction import predict
from tautune.trainables.supervised import datasets
from tautune.trainables.supervised.normalization import Normalization
from tests.runners.tunings import SMALL, run


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_refit_uses_all_training_images_and_the_test_images_once(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    best, _ = run(SMALL, "random", "none", folder, trials=2, max_epochs=5)
    test = refit(folder, study=SMALL)
    assert test["training_images"] == 1437
    assert test["test_images"] == 360
    assert test["test_accuracy"] > 0.5
    assert test["epochs"] == best["epochs"]
    model = torch.load(folder / "model.pt", weights_only=True)
    data = datasets.load("digits")
    assert model["config"] == best["config"]
    torch.testing.assert_close(model["training"]["mean"], Normalization.of(data.train.pixels).mean)
    with pytest.raises(InputError, match="its test images were used; --again"):
        refit(folder, study=SMALL)
    files = []
    for number in range(30):
        pixels = data.test.pixels[number, 0].numpy()
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(files[-1])
    labels = [int(prediction.label) for prediction in predict(folder, files)]
    right = sum(label == int(target) for label, target in zip(labels, data.test.targets, strict=False))
    assert right / 30 == pytest.approx(test["test_accuracy"], abs=0.2)
    alone = predict(folder, files[:1])[0]
    assert int(alone.label) == labels[0]
    assert alone.probability == pytest.approx(predict(folder, files)[0].probability)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_refit_after_a_population_follows_the_line_of_the_best(tmp_path: Path) -> None:
    study = replace(SMALL, space=SMALL.space | {"learning_rate": tune.loguniform(1e-4, 1e-1)})
    best, _ = run(study, "random", "pbt", tmp_path / "out", max_epochs=8)
    test = refit(tmp_path / "out", study=study)
    expected = [entry for entry in best["history"] if entry["epoch"] < best["epochs"]]
    assert test["history"] == expected


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_refit_has_no_patience(tmp_path: Path) -> None:
    study = replace(
        SMALL, space={"optimizer": "adam", "learning_rate": 1e-9, "units": 8, "patience": 1, "dropout": 0.9}
    )
    best, _ = run(study, "random", "none", tmp_path / "out", trials=1, max_epochs=20)
    write_json(tmp_path / "out" / "best.json", best | {"epochs": 6})  # later than its patience with random losses
    assert refit(tmp_path / "out", study=study)["epochs"] == 6


def test_pictures_are_brought_to_the_models_kind(tmp_path: Path) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    kinds = {"grey": Image.fromarray(pixels), "16 bit": Image.fromarray(pixels.astype(np.uint16) * 257)}
    clear = np.zeros((8, 8, 4), np.uint8)
    clear[..., 3] = 255 - pixels  # black, drawn in alpha alone
    kinds["alpha"] = Image.fromarray(clear)
    for name, picture in kinds.items():
        picture.save(tmp_path / f"{name}.png")
        read = prediction._read(tmp_path / f"{name}.png", (1, 8, 8))
        assert abs(read[0, 0].int() - torch.from_numpy(pixels).int()).max() <= 1, name
    turned = Image.fromarray(np.rot90(pixels, 1))
    exif = turned.getexif()
    exif[0x0112] = 6  # shown turned by 90° clockwise
    turned.save(tmp_path / "photo.png", exif=exif)
    assert torch.equal(prediction._read(tmp_path / "photo.png", (1, 8, 8))[0, 0], torch.from_numpy(pixels))
    Image.fromarray(pixels.astype(np.float32)).save(tmp_path / "float.tiff")
    np.save(tmp_path / "nan.npy", np.full((1, 8, 8), np.nan))
    np.save(tmp_path / "text.npy", np.array(["a"]))
    (tmp_path / "empty.npy").write_bytes(b"")
    for name, message in {
        "float.tiff": "whose range is not known",
        "nan.npy": "must hold one array of finite numbers",
        "text.npy": "must hold one array of finite numbers",
        "empty.npy": "is no array that can be read",
    }.items():
        with pytest.raises(InputError, match=message):
            prediction._read(tmp_path / name, (1, 8, 8))
