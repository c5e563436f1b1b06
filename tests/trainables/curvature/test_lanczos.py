import pytest
import torch
from torch import Tensor

from tautune.trainables.curvature.lanczos import largest_eigenpairs, random_start


def stack(sizes: tuple[float, ...], P: int = 60) -> Tensor:
    """Returns symmetric matrices [K, P, P] whose largest eigenvalues are these, with one of -100 in each."""
    generator = torch.Generator().manual_seed(0)
    bases = torch.linalg.qr(torch.randn(len(sizes), P, P, dtype=torch.float64, generator=generator)).Q
    values = torch.stack([torch.cat([torch.tensor([-100.0, a]), torch.linspace(0, 0.9 * a, P - 2)]) for a in sizes])
    matrices: Tensor = bases @ torch.diag_embed(values.double()) @ bases.mT
    return matrices


@pytest.mark.parametrize("basis", [4, 12, 100])
def test_all_operators_at_once_and_not_the_largest_in_modulus(basis: int) -> None:
    matrices = stack((1.0, 3.0, 7.0))
    found = largest_eigenpairs(
        lambda V: torch.einsum("kpq,kq->kp", matrices, V),
        random_start(3, 60, matrices),
        tolerance=1e-8,
        most_products=400,
        basis=basis,
    )
    assert found.values.tolist() == pytest.approx([1, 3, 7], rel=1e-12)
    assert float(found.residuals.max()) <= 1e-8
    bent = torch.einsum("kpq,kq->kp", matrices, found.vectors)
    torch.testing.assert_close(bent, found.values[:, None] * found.vectors, atol=1e-6, rtol=0)


def test_a_warm_start_takes_few_products_and_follows_a_crossing() -> None:
    matrix = torch.diag(torch.linspace(0, 0.5, 100, dtype=torch.float64))[None]
    matrix[0, 98, 98], matrix[0, 99, 99] = 1.0, 0.95

    def find(start: Tensor) -> tuple[float, int, Tensor]:
        found = largest_eigenpairs(
            lambda V: torch.einsum("kpq,kq->kp", matrix, V), start, tolerance=1e-4, most_products=100
        )
        return float(found.values[0]), found.products, found.start

    cold, many, start = find(random_start(1, 100, matrix))
    again, few, start = find(start)
    assert [cold, again] == pytest.approx([1, 1])
    assert few <= 3 < many
    matrix[0, 98, 98] = 0.9  # now the second is the largest
    crossed, few, _ = find(start)
    assert crossed == pytest.approx(0.95)
    assert few <= 4


def test_what_becomes_the_largest_out_of_sight_of_a_warm_start_is_found() -> None:
    matrix = torch.diag(torch.linspace(0, 0.5, 100, dtype=torch.float64))[None]
    matrix[0, 98, 98], matrix[0, 99, 99] = 1.0, 0.95
    start = torch.eye(100, dtype=torch.float64)[None, 98:]
    matrix[0, 7, 7] = 2.0  # the two vectors know nothing of it, and their residuals are 0

    def find(unseen: int) -> float:
        found = largest_eigenpairs(
            lambda V: torch.einsum("kpq,kq->kp", matrix, V),
            start,
            tolerance=0.02,
            most_products=12,
            unseen=unseen,
            seed=1,
        )
        return float(found.values[0])

    assert find(0) == pytest.approx(1)
    assert find(4) == pytest.approx(2, rel=0.005)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_small_operators_are_solved_whole(size: int) -> None:
    diagonal = torch.linspace(-5, 3, size, dtype=torch.float64) if size > 1 else torch.tensor([3.0]).double()
    found = largest_eigenpairs(
        lambda V: V * diagonal, random_start(1, size, diagonal), tolerance=1e-12, most_products=50
    )
    assert float(found.values[0]) == pytest.approx(3)
    assert found.products <= size
