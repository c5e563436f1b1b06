import pytest
import torch

import search_spaces
from search_spaces import quadratic


@pytest.mark.parametrize("name", search_spaces.STABILITY)
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


def test_unknown_study_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="study must be one of digits, quadratic, not 'digit'; did you mean digits?"):
        search_spaces.find("digit")
    with pytest.raises(
        ValueError, match="study must be one of digits_mlp, .*, not 'digits_mlq'; did you mean digits_mlp"
    ):
        search_spaces.find_tuning("digits_mlq")
