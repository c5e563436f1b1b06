from dataclasses import replace
from typing import Any

import pytest
import torch
from ray import tune

from tautune import search_spaces
from tautune.search_spaces import digits_mlp, quadratic
from tautune.search_spaces.catalogue import CATALOGUE
from tautune.search_spaces.space import When, combinations

GRIDS = {
    **{"fashion_mnist_grid": 9, "mnist_cnn_grid": 243, "fashion_mnist_cnn_grid": 243},
    **{"optimizers": 65, "cifar10_vgg11": 45},
}


@pytest.mark.parametrize("name", [name for name, entry in CATALOGUE.items() if "sweep" in entry.commands])
def test_a_study_is_made_the_same_every_time(name: str) -> None:
    study = search_spaces.find(name)
    torch.manual_seed(99)
    first, second = study.problem(), study.problem()
    assert study.name == name
    assert torch.equal(first.point, second.point)
    assert torch.equal(first.inputs, second.inputs)
    assert first.point.dtype == torch.float64
    value, gradient = first.value_and_gradient(first.point)
    assert value > 0
    assert float(gradient.norm()) > 0


def test_quadratic_has_the_curvatures_it_says() -> None:
    inputs, _ = quadratic.data()
    eigenvalues = torch.linalg.eigvalsh(inputs.T @ inputs / len(inputs))
    torch.testing.assert_close(eigenvalues, torch.tensor(sorted(quadratic.CURVATURES)).double())


def test_the_published_grids_have_their_sizes() -> None:
    sizes = {name: len(combinations(search_spaces.find_tuning(name).space)) for name in GRIDS}
    assert sizes == GRIDS


def test_spaces_are_checked_when_they_are_written() -> None:
    space_errors: list[tuple[dict[str, Any], str]] = [
        ({"learning_rat": 1}, "hyperparameter 'learning_rat' is unknown; did you mean learning_rate"),
        ({"channels": 8}, "hyperparameter 'channels' is unknown"),
        ({"momentum": tune.uniform(0.5, 1.5)}, "momentum must be at least 0 and below 1, not 1.5"),
        ({"learning_rate": tune.uniform(0.1, 0.01)}, "learning_rate must have a lower bound below its upper"),
        ({"optimizer": tune.choice(["adam", "adm"])}, "optimizer must be one of .*, not 'adm'"),
        ({"learning_rate": tune.choice(["0.1"])}, "learning_rate cannot be '0.1', a str"),
        ({"learning_rate": tune.grid_search([0.1])}, "for a grid, give tune.choice and search grid"),
        ({"dropout": tune.sample_from(lambda spec: 0.1)}, "dropout must be a range, a choice or a value"),
        ({"dropout": tune.randn(0, 1)}, r"dropout must be in \[0, 1\], not -inf"),
        ({"batch_size": tune.qrandint(9, 15, 8)}, "batch_size has no multiple of 8 between 9 and 15"),
        ({"l2": 0.1, "l2_2": 0.1}, "l2 must be one value or one for each layer, not both l2 and l2_2"),
        ({"l2_1": 0.1, "l2_3": 0.1}, "l2_2 is missing: there is l2_3"),
        ({"l2_1": tune.uniform(-1, 1)}, "l2 must be at least 0, not -1"),
        ({"l1_1": 0.1}, "hyperparameter 'l1_1' is unknown"),
        ({"batch_size": tune.choice([])}, "batch_size is a choice of nothing"),
        ({"layers": When("layers", (2,), tune.choice([1, 2]))}, "layers depends on layers, which must come before it"),
        ({"units_2": When("layers", (2,), 8)}, "units_2 depends on layers, which must be a tune.choice"),
        ({"layers": tune.choice([1, 2]), "units_2": When("layers", (3,), 8)}, "layers = 3, which is none of its"),
        ({"units_2": When("layers", (2,), 8), "layers": tune.choice([1, 2])}, "layers, which must come before it"),
    ]
    for space, message in space_errors:
        with pytest.raises(ValueError, match=message):
            replace(digits_mlp.STUDY, space=space)
    with pytest.raises(ValueError, match="model 'mpl' is unknown; did you mean mlp"):
        replace(digits_mlp.STUDY, model="mpl")
    with pytest.raises(ValueError, match="data 'digit' is unknown; did you mean digits"):
        replace(digits_mlp.STUDY, data="digit")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": torch.nn.Linear(2, 2)}, "model must be a function .* that returns a network, or a name, not a Line"),
        ({"model": None}, "model must be a function .*, not a NoneType"),
        ({"data": torch.zeros(3)}, "data must be a function that returns them, or a name, not a Tensor"),
        ({"space": ["learning_rate"]}, "space must be a dict of hyperparameters, not a list"),
        ({"trials": 0}, "trials must be an integer of at least 1, not 0"),
        ({"max_epochs": None}, "max_epochs must be an integer of at least 1, not None"),
        ({"examples": 1.5}, "examples must be an integer of at least 1, not 1.5"),
        ({"validation_share": 1}, r"validation_share must be in \(0, 1\), not 1"),
        ({"validation_share": "a"}, r"validation_share must be in \(0, 1\), not 'a'"),
        ({"trials": True}, "trials must be an integer of at least 1, not True"),
        ({"search": None}, "search must be a name, not None"),
        ({"name": ".."}, r"name must be a word that can name a folder, not '\.\.'"),
        ({"name": "a\0b"}, r"name must be a word that can name a folder, not 'a\\x00b'"),
        ({"name": "x" * 101}, "name must be a word that can name a folder, not 'xxx"),
    ],
)
def test_a_study_of_the_wrong_kinds_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(digits_mlp.STUDY, **changes)
