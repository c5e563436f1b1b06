import math
from collections.abc import Callable

import pytest

from tautune.trainables.threshold.search import Sample, ThresholdSearch

ROOT = 0.37
CURVES: dict[str, Callable[[float], float]] = {  # of ln(η / ROOT)
    "line": lambda u: 0.3 * u,
    "curve": lambda u: math.expm1(2 * u) / 50,
    "kink": lambda u: 0.5 * u if u > 0 else 1e-4 * u,  # noise holds slow decay below the threshold
    "saturated": lambda u: math.tanh(30 * u),
}


def search_for(
    curve: Callable[[float], float], first_guess: float, resolution: float, error: float = 0.0
) -> ThresholdSearch:
    search = ThresholdSearch(first_guess=first_guess, resolution=resolution)
    while not (search.done or search.exhausted):
        η = search.next_learning_rate()
        search.add(Sample(η, curve(math.log(η / ROOT)), error, 1))
    return search


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("first_guess", [ROOT, 0.99 * ROOT, 5 * ROOT, ROOT / 5, 0.01, 1e-6, 1e5])
@pytest.mark.parametrize("resolution", [0.005, 1e-4, 0.1])
def test_any_first_guess_ends_at_the_same_threshold(name: str, first_guess: float, resolution: float) -> None:
    search = search_for(CURVES[name], first_guess, resolution)
    found = search.threshold()
    assert search.done
    assert abs(found.learning_rate - ROOT) <= 2 * found.uncertainty
    assert found.uncertainty <= 0.51 * resolution * ROOT
    assert found.learning_rate == pytest.approx(ROOT, rel=resolution)
    assert len(search.samples) <= 40


def test_a_good_guess_costs_five_samples_and_interpolation_beats_the_bracket() -> None:
    search = search_for(CURVES["curve"], 1.001 * ROOT, 0.005)
    assert len(search.samples) <= 5
    assert search.threshold().learning_rate == pytest.approx(ROOT, rel=1e-5)


def test_samples_nearer_zero_than_their_error_decide_nothing() -> None:
    search = search_for(CURVES["line"], ROOT, 0.005, error=2e-4)
    assert search.done
    assert search.lower is not None
    assert search.upper is not None
    assert search.lower.growth < -2e-4
    assert search.upper.growth > 2e-4


@pytest.mark.parametrize("sign", [-1, 1])
def test_growth_on_one_side_only_ends_without_a_threshold(sign: int) -> None:
    search = ThresholdSearch(first_guess=1.0, resolution=0.005, limit=20)
    while not search.exhausted:
        search.add(Sample(search.next_learning_rate(), sign * 0.1, 0.0, 1))
    assert search.failed
    with pytest.raises(RuntimeError, match="not been bracketed"):
        search.threshold()


def test_learning_rates_stay_representable() -> None:
    for sign in (-1, 1):
        search = ThresholdSearch(first_guess=1.0, resolution=0.005)
        while not search.exhausted:
            η = search.next_learning_rate()
            assert 0 < η < math.inf
            search.add(Sample(η, sign * 0.1, 0.0, 1))
