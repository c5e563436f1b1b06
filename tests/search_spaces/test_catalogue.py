"""The catalogue says of each built-in study what the study itself says, and needs neither torch nor Ray for it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ray.tune.search.sample import Categorical, Domain

from tautune import search_spaces
from tautune.search_spaces.catalogue import CATALOGUE, MEASURED, TUNED, Entry, check_fixed, check_study
from tautune.search_spaces.space import domain_of
from tautune.search_spaces.stability_study import StabilityStudy
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.supervised import data_files, hyperparameters, models, optimizers

HEAVY = ("torch", "ray", "pandas", "sklearn", "scipy", "matplotlib", "hyperopt")


def entry_of(name: str) -> Entry:
    """What the catalogue should hold, by the study itself."""
    module = CATALOGUE[name].module
    if CATALOGUE[name].commands == MEASURED:
        study = search_spaces.find(name)
        assert study.name == name
        examples = len(study.problem())
        return Entry(module=module, commands=MEASURED, description=study.description, examples=examples)
    tuned = search_spaces.find_tuning(name)
    assert tuned.name == name
    domains = {key: d for key, entry in tuned.space.items() if isinstance(d := domain_of(entry), Domain)}
    assert isinstance(tuned, TuningStudy)
    assert isinstance(tuned.model, str)
    return Entry(
        module=module,
        commands=TUNED,
        description=tuned.description,
        data=tuned.data if isinstance(tuned.data, str) else None,
        model=tuned.model,
        search=tuned.search,
        scheduler=tuned.scheduler,
        ranges=tuple(key for key, d in domains.items() if not isinstance(d, Categorical)),
        choices=tuple(key for key, d in domains.items() if isinstance(d, Categorical)),
    )


@pytest.mark.parametrize("name", CATALOGUE)
def test_an_entry_is_what_its_study_is(name: str) -> None:
    assert CATALOGUE[name] == entry_of(name)


def test_every_study_of_the_folder_is_in_the_catalogue() -> None:
    folder = Path(search_spaces.__file__).parent
    modules = {file.stem for file in folder.glob("*.py") if "\nSTUDY = " in file.read_text()}
    assert {entry.module for entry in CATALOGUE.values()} == modules


def test_names_are_those_that_torch_is_given() -> None:
    assert tuple(optimizers.OPTIMIZERS) == hyperparameters.OPTIMIZER_NAMES
    assert tuple(models.ACTIVATIONS) == hyperparameters.ACTIVATION_NAMES
    assert tuple(models.INITIALIZATIONS) == hyperparameters.INITIALIZATION_NAMES
    assert {name: hyperparameters.names_of(model) for name, model in models.MODELS.items()} == hyperparameters.NETWORKS
    assert set(data_files.MNIST_KINDS) < set(data_files.DATA_NAMES)


@pytest.mark.parametrize("module", ["catalogue", "names"])
def test_no_heavy_package_is_imported(module: str) -> None:
    program = f"""
import sys
import tautune.search_spaces.{module}
import tautune.trainables.supervised.hyperparameters, tautune.trainables.supervised.data_files
print([name for name in {HEAVY} if name in sys.modules])
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "command", "message"),
    [
        ("digit", "sweep", r"study 'digit' is unknown; did you mean digits\?"),
        ("digits_mlq", "tune", "study 'digits_mlq' is unknown; did you mean digits_mlp"),
        (
            "digits_mlp",
            "grid",
            "study digits_mlp is for `tautune tune`; for `tautune grid` there are digits, digits_squared, quadratic",
        ),
        (
            "digits",
            "tune",
            "study digits is for `tautune sweep`, `tautune grid`, `tautune probe` and `tautune edge`; for "
            "`tautune tune` there are ",
        ),
        ("none.py", "tune", "there is no study file none.py"),
        ("tests", "sweep", "tests is a folder, not a study file"),
        ("README.md", "tune", "README.md is no Python file"),
    ],
)
def test_a_study_that_the_command_cannot_take_is_named(name: str, command: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_study(name, command)


def test_registered_studies_are_found_first(monkeypatch: pytest.MonkeyPatch) -> None:
    study = search_spaces.find("quadratic")
    monkeypatch.setitem(search_spaces.REGISTERED, "mine", study)
    assert search_spaces.find("mine") is study
    with pytest.raises(
        ValueError,
        match="mine is a StabilityStudy: use `tautune sweep` or `tautune grid` or `tautune probe` or `tautune edge`",
    ):
        search_spaces.find_tuning("mine")
    assert isinstance(search_spaces.find("digits"), StabilityStudy)


def test_values_to_be_fixed_are_checked_as_the_study_would() -> None:
    check_fixed("digits_mlp", {"delay": 8, "units_1": 64, "units": [64, 32], "initialization": None, "dropout": 0})
    for name, value, message in (
        ("learning_rat", 0.1, "hyperparameter 'learning_rat' is unknown; did you mean learning_rate"),
        ("channels", 8, "hyperparameter 'channels' is unknown"),
        ("delay", -1, "delay must be an integer"),
        ("learning_rate", "fast", "learning_rate cannot be 'fast', a str"),
        ("optimizer", 3, "optimizer must be one of sgd"),
        ("activation", "rely", "activation must be one of relu, tanh, .*, not 'rely'"),
        ("units_2", 0, "units must be an integer of at least 1"),
        ("layers", "two", "layers must be an integer of at least 0, not 'two'"),
        ("batch_norm", 1, "batch_norm must be true or false, not 1"),
    ):
        with pytest.raises(ValueError, match=message):
            check_fixed("digits_mlp", {name: value})
        with pytest.raises(ValueError, match=message):
            search_spaces.find_tuning("digits_mlp").setting({name: value})
    with pytest.raises(ValueError, match="units must be 9 widths for 9 layers, not 3"):
        check_fixed("digits_mlp", {"layers": 9})
