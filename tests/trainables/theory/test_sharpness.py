import pytest
import torch

from tautune.trainables.theory.sharpness import largest_eigenvalue
from tests.trainables.theory.test_problem import dense_hessian, make_problem


@pytest.mark.parametrize("chunk", [8192, 4])
def test_against_the_dense_hessian(chunk: int) -> None:
    problem = make_problem(chunk=chunk)
    x = problem.point
    values, vectors = torch.linalg.eigh(dense_hessian(problem, x))
    found = largest_eigenvalue(lambda v: problem.hessian_vector_product(x, v), x, tolerance=1e-10)
    assert found.value == pytest.approx(float(values[-1]), rel=1e-10)
    assert abs(float(found.direction @ vectors[:, -1])) == pytest.approx(1, abs=1e-8)
    assert found.relative_residual < 1e-6


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_largest_is_not_largest_in_modulus(size: int) -> None:
    diagonal = torch.linspace(-100, 3, size, dtype=torch.float64) if size > 1 else torch.tensor([3.0]).double()
    found = largest_eigenvalue(lambda v: diagonal * v, diagonal)
    assert found.value == pytest.approx(3)
    assert float(found.direction[-1]) == pytest.approx(1)


def test_tolerance_buys_products() -> None:
    diagonal = torch.linspace(0, 1, 3000, dtype=torch.float64).sqrt()
    products = []
    for tolerance in (1e-2, 1e-10):
        found = largest_eigenvalue(lambda v: diagonal * v, diagonal, tolerance=tolerance)
        assert found.value == pytest.approx(1, rel=tolerance)
        products.append(found.products)
    assert products[0] < products[1]


def test_repeats_to_the_last_digit() -> None:
    diagonal = torch.linspace(0, 1, 300, dtype=torch.float64)
    first, second = (largest_eigenvalue(lambda v: diagonal * v, diagonal, tolerance=1e-3) for _ in range(2))
    assert first.value == second.value
    assert torch.equal(first.direction, second.direction)
