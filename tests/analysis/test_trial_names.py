"""Names of trials: short, unique, the same each time, and safe as names of files and of TensorBoard runs."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray import tune

from tautune.analysis.trial_names import (
    VALUE_WIDTH,
    WIDTH,
    safe,
    shorten,
    trial_name,
    value_text,
    varying_among,
    varying_in,
)
from tautune.search_spaces.digits_mlp import STUDY
from tautune.search_spaces.space import Space, When, as_text

VALUES = st.one_of(
    st.text(max_size=60), st.floats(), st.integers(), st.booleans(), st.none(), st.lists(st.integers(), max_size=5)
)
CONFIGS = st.dictionaries(st.text(min_size=1, max_size=40), VALUES, max_size=8)


def test_a_name_has_what_a_reader_looks_for_first() -> None:
    config = {"momentum": 0.9, "batch_size": 64, "learning_rate": 0.045, "optimizer": "adam", "epochs": 30}
    assert trial_name(7, config, ["batch_size", "learning_rate", "optimizer"]) == "07 adam η=4.5e-2 bs=64"
    assert trial_name(7, config, list(config)) == "07 adam η=4.5e-2 bs=64 m=0.9 epochs=30"
    assert trial_name(1234, config, []) == "1234"
    assert trial_name("trial_8f3a", config, ["momentum"]) == "trial_8f3a m=0.9"


def test_what_does_not_exist_in_a_configuration_is_not_named() -> None:
    varying = ["layers", "units_1", "units_2"]
    assert trial_name(1, {"layers": 1, "units_1": 64}, varying) == "01 layers=1 u1=64"
    assert trial_name(2, {"layers": 2, "units_1": 64, "units_2": 128}, varying) == "02 layers=2 u1=64 u2=128"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.045, "4.5e-2"),
        (1e-3, "1e-3"),
        (0.12345, "0.12"),
        (0.0, "0"),
        (12.5, "12.5"),
        (-3e8, "-3e8"),
        (64, "64"),
        (10**12, "1e12"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (True, "yes"),
        (None, "none"),
        ([64, 32], "64-32"),
        ([], "empty"),
        ("<script>alert(1)</script>", "script"),
        ("/data/run 1/a 'b'.csv", "a-b-.csv"),
        ("a text that is much too long", "a-tex…-long"),
        (dict, "dict"),
        ({"a": 1}, "a-1"),
        ("", "unnamed"),
        ("..", "unnamed"),
    ],
)
def test_values(value: Any, text: str) -> None:
    assert value_text(value) == text


def test_short_names() -> None:
    names = [
        "learning_rate",
        "lr",
        "weight_decay",
        "wd",
        "initialization",
        "model/units",
        "beta2",
        "units_1",
        "layer.2",
    ]
    assert list(shorten(names).values()) == [
        *("learning_rate", "lr", "weight_decay", "wd", "initi", "units", "beta2", "u1", "layer.2"),
    ]


@given(st.lists(st.text(max_size=12), unique=True, max_size=12))
def test_no_two_hyperparameters_have_the_same_short_name(names: list[str]) -> None:
    short = shorten(names)
    assert list(short) == names
    assert len(set(short.values())) == len(names)


@given(st.integers(1, 10**5), CONFIGS)
def test_any_name_is_safe_short_and_the_same_each_time(number: int, config: dict[str, Any]) -> None:
    name = trial_name(number, config, list(config))
    assert name == trial_name(number, dict(reversed(config.items())), list(config))
    assert name.split(" ")[0] == f"{number:02d}"
    assert len(name) <= WIDTH
    assert len(name.encode()) < 255  # what a file's name may have
    assert not set(name) & set("/\\<>\"'`*?[]{}|:;%#&$\n\t")
    assert all(len(value_text(value)) <= VALUE_WIDTH for value in config.values())


def test_2000_names_are_files_of_one_folder(tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / trial_name(number, {"note": "the same for all / of them"}, ["note"])).touch()
    assert len(list(tmp_path.iterdir())) == 2000


def test_what_varies_is_read_from_run_json() -> None:
    space: Space = {
        "optimizer": tune.choice(["sgd"]),
        "learning_rate": tune.loguniform(1e-4, 1),
        "momentum": 0.9,
        "layers": tune.choice([1, 2]),
        "units_2": When("layers", (2,), tune.choice([8])),
        "noise": tune.randn(0, 1),
        "steps": tune.randint(3, 4),
    }
    configuration = {"space": {name: as_text(entry) for name, entry in space.items()}, "scheduler": "asha"}
    assert varying_in(configuration) == ["learning_rate", "layers", "units_2", "noise"]
    assert varying_in(configuration | {"scheduler": "pbt"}) == ["layers", "units_2", "noise"]
    assert varying_in(configuration | {"scheduler": "pbt", "metric": "loss"}) == []
    kept = {name: as_text(entry) for name, entry in STUDY.space.items()}
    assert varying_in({"space": kept}) == list(STUDY.space)


def test_what_varies_is_read_from_all_rows() -> None:
    rows: list[dict[str, Any]] = [{"a": 1, "b": [2]}, {"a": 1, "b": [2], "c": None}, {"a": True, "b": [2]}]
    assert varying_among(rows) == ["a", "c"]
    assert varying_among(rows[:1]) == []
    assert varying_among([]) == []


def test_a_safe_text_stays_as_it_is() -> None:
    assert safe("η=1") == "η-1"
    assert safe("größe_1.5e-3") == "größe_1.5e-3"
