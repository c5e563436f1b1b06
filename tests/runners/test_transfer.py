"""A tuning without delay, carried to a delay, and trained there."""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tautune
from tautune._tuned import refit
from tautune.commands import app as cli
from tautune.records.errors import InputError
from tautune.trainables.supervised.hyperparameters import TRAINING_NAMES, TrainingConfig
from tautune.trainables.theory.loop import TrainingLoop
from tests.records.test_run_folder import TUNING
from tests.runners.tunings import SMALL, run


def tuned(
    folder: Path, config: dict[str, Any], momenta: tuple[float, ...] = (0.9,), rates: tuple[float, ...] = ()
) -> Path:
    """Writes what a finished tuning leaves of its best configuration."""
    folder.mkdir()
    ran = {"configuration": TUNING, "runs": [{"experiment": "trials", "trials": 1, "finished": "2026-01-01"}]}
    (folder / "run.json").write_text(json.dumps(ran))
    rates = rates or (config["learning_rate"],) * len(momenta)
    history = [
        {"epoch": n, "learning_rate": η, "momentum": m} for n, (η, m) in enumerate(zip(rates, momenta, strict=True))
    ]
    best = {"trial": "a", "number": 3, "config": config, "epochs": 7, "history": history, "validation_accuracy": 0.9}
    (folder / "best.json").write_text(json.dumps(best))
    return folder


def test_sgd_goes_by_the_ratio_of_its_thresholds(tmp_path: Path) -> None:
    folder = tuned(tmp_path / "a", {"learning_rate": 0.1, "optimizer": "sgd", "units": 32})
    found = tautune.transfer(folder, 8)
    assert found["learning_rate"] == pytest.approx(tautune.transfer_learning_rate(0.1, from_delay=0, to_delay=8))
    assert (found["optimizer"], found["momentum"], found["remedy"], found["delay"]) == ("sgd", 0, "none", 8)
    written = json.loads((tmp_path / "a-delay-8" / "best.json").read_text())
    assert written["config"] == found["config"]
    assert written["config"]["units"] == 32
    assert written["history"][0]["learning_rate"] == pytest.approx(found["learning_rate"])
    assert (written["epochs"], "validation_accuracy" in written) == (7, False)
    ran = json.loads((tmp_path / "a-delay-8" / "run.json").read_text())["configuration"]
    assert {name: ran["set"][name] for name in ("delay", "remedy", "optimizer")} == {
        **{"delay": 8, "remedy": "none", "optimizer": "sgd"}
    }  # a trial takes only what its space has
    with pytest.raises(InputError, match="holds a run"):
        tautune.transfer(folder, 8)


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "adam", "adamw", "nadam", "rmsprop"])
@pytest.mark.parametrize("delay", [0, 1, 3, 8, 31, {0: 0.5, 8: 0.5}])
def test_what_comes_out_is_stable_and_can_be_trained(tmp_path: Path, optimizer: str, delay: Any) -> None:
    folder = tuned(tmp_path / "a", {"learning_rate": 0.1, "optimizer": optimizer, "momentum": 0.9})
    found = tautune.transfer(folder, delay)
    config = TrainingConfig(**{name: value for name, value in found["config"].items() if name in TRAINING_NAMES})
    assert config.learning_rate == found["learning_rate"]
    names = {"momentum": "sgd"}
    before = TrainingLoop(names.get(optimizer, optimizer), 0, momentum=0.0 if optimizer == "rmsprop" else 0.9)
    remedies = [] if found["remedy"] == "none" else [found["remedy"]]
    after = TrainingLoop(names.get(config.optimizer, config.optimizer), delay, remedies, found["momentum"])
    edge = min(before.threshold, 2 / before.gain_at_rest) / 0.1  # the curvature at which plain SGD would be at its edge
    limit = after.mean_square_threshold() if after.delay.drawn else after.threshold
    assert found["learning_rate"] * edge <= limit * (1 + 1e-9)
    kept = tautune.transfer(folder, delay, keep=True, output=tmp_path / "kept")
    assert (kept["optimizer"], kept["remedy"]) == (optimizer, "none")


def test_a_curvature_is_measured_given_or_told_to_be_unknown(tmp_path: Path) -> None:
    folder = tuned(tmp_path / "a", {"learning_rate": 5.0, "optimizer": "sgd", "units": 32})
    given = tautune.transfer(folder, 8, sharpness=2.0)
    assert given["learning_rate"] == pytest.approx(tautune.max_stable_learning_rate(2.0, 8) / 2)
    assert given["curvature"] == 2
    unknown = tautune.transfer(folder, 8, output=tmp_path / "b")  # its space is none that the study has
    assert unknown["curvature"] is None
    assert "is not known" in unknown["why"][-1]
    assert "another version of the study" in unknown["why"][-1]
    with pytest.raises(InputError, match="sharpness must be a finite number above 0, not 0"):
        tautune.transfer(folder, 8, sharpness=0, output=tmp_path / "c")


def test_momentum_that_hurts_is_given_up_or_helped_and_told(tmp_path: Path) -> None:
    folder = tuned(tmp_path / "a", {"learning_rate": 0.01, "optimizer": "adamw", "momentum": 0.9})
    helped, kept = tautune.transfer(folder, 7), tautune.transfer(folder, 31)
    assert (helped["optimizer"], helped["momentum"], helped["remedy"]) == ("adamw", 0.9, "predict:7")
    assert (kept["optimizer"], kept["momentum"], kept["remedy"]) == ("adamw", 0.9, "none")
    assert "momentum 0.9 lowers the threshold" in kept["why"][0]
    assert "stays" in kept["why"][0]
    plain = tautune.transfer(
        tuned(tmp_path / "c", {"learning_rate": 0.01, "optimizer": "momentum", "momentum": 0.5}), {0: 0.5, 31: 0.5}
    )
    assert (plain["optimizer"], plain["momentum"], plain["remedy"]) == ("sgd", 0.0, "none")
    assert "momentum 0.5 lowers the threshold" in plain["why"][0]
    shifted = tautune.transfer(tuned(tmp_path / "b", {"learning_rate": 0.01, "optimizer": "momentum"}), 7)
    assert (shifted["optimizer"], shifted["remedy"]) == ("shifted-momentum", "predict:7")


def test_a_population_that_changed_its_momentum_is_refused(tmp_path: Path) -> None:
    folder = tuned(tmp_path / "a", {"learning_rate": 0.01, "optimizer": "nesterov"}, momenta=(0.9, 0.8))
    with pytest.raises(InputError, match="momentum changed while it trained"):
        tautune.transfer(folder, 8)


def test_the_largest_rate_of_a_population_is_brought_to_what_is_stable(tmp_path: Path) -> None:
    rates = (0.5, 1.0, 0.01)
    folder = tuned(tmp_path / "a", {"learning_rate": 0.01, "optimizer": "sgd"}, momenta=(0.9,) * 3, rates=rates)
    found = tautune.transfer(folder, 8, sharpness=2.0)
    written = json.loads((tmp_path / "a-delay-8" / "best.json").read_text())
    largest = tautune.max_stable_learning_rate(2.0, 8) / 2
    assert [entry["learning_rate"] for entry in written["history"]] == pytest.approx([η * largest for η in rates])
    assert found["learning_rate"] == written["history"][-1]["learning_rate"]


@pytest.mark.parametrize("places", ["workers", "stages"])
def test_a_tuning_with_workers_or_stages_is_refused(tmp_path: Path, places: str) -> None:
    folder = tuned(tmp_path / "a", {"learning_rate": 0.01, "optimizer": "nesterov"})
    ran = json.loads((folder / "run.json").read_text())
    ran["configuration"] |= {places: {"count": 2}}
    (folder / "run.json").write_text(json.dumps(ran))
    with pytest.raises(InputError, match=f"tuned with {places}"):
        tautune.transfer(folder, 8)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_the_transferred_folder_is_refitted_with_its_delay_and_its_remedy(tmp_path: Path) -> None:
    study = replace(SMALL, space=dict(SMALL.space) | {"momentum": 0.9})
    run(study, "random", "none", tmp_path / "out", trials=1, max_epochs=2)
    found = tautune.transfer(tmp_path / "out", {3: 0.5, 5: 0.5}, study=study)
    assert found["delay"] == "3:0.5,5:0.5"
    assert found["remedy"] == "predict:4"
    assert found["curvature"] > 0
    test = refit(found["path"], study=study)
    assert test["config"] == found["config"]
    assert (test["test_images"], test["epochs"]) == (360, 2)


def test_the_folder_in_which_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tuned(tmp_path / "a", {"learning_rate": 0.01, "optimizer": "adamw"}))
    assert tautune.transfer(".", 1)["path"] == str(tmp_path / "a-delay-1")


def test_the_command_to_type_next_is_quoted_and_drawn_delays_are_told_shortly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tuned(tmp_path / "o'ne two", {"learning_rate": 0.1, "optimizer": "adam", "momentum": 0.9})
    monkeypatch.chdir(tmp_path)
    shares = "0:0.3333333333333333,3:0.6666666666666667"
    monkeypatch.setattr("sys.argv", ["tautune", "transfer", "o'ne two", "--delay-shares", shares])
    with pytest.raises(SystemExit):
        cli.main()
    out = capsys.readouterr().out
    assert "0 to 3, 2 on average" in out
    assert shlex.split(out.splitlines()[-1])[-1] == "o'ne two-delays-0-3"
