import math

import numpy as np
import pytest

from tautune.trainables.theory import stability
from tautune.trainables.theory.momentum import Momentum

# reference.md, section 1: thresholds aη by the roots of the polynomials, six figures
TABLE = {  # delay: plain, momentum 0.5, momentum 0.9, shifted 0.5, shifted 0.9
    0: (2.0, 6.0, 38.0, 6.0, 38.0),
    1: (1.0, 1.0, 1.0, 1.5, 1.9),
    2: (0.618034, 0.56155, 0.51249, 0.82288, 0.96629),
    4: (0.347296, 0.31170, 0.26498, 0.43173, 0.48729),
    8: (0.184537, 0.17010, 0.13942, 0.22121, 0.24469),
    16: (0.095164, 0.09049, 0.07488, 0.11197, 0.12261),
    32: (0.048327, 0.04699, 0.04064, 0.05633, 0.06137),
}
KINDS = ((0.0, False), (0.5, False), (0.9, False), (0.5, True), (0.9, True))


@pytest.mark.parametrize("delay", TABLE)
def test_published_table(delay: int) -> None:
    for (momentum, shifted), published in zip(KINDS, TABLE[delay], strict=True):
        digits = 6 if momentum == 0 else 5
        assert stability.threshold(delay, momentum, shifted=shifted) == pytest.approx(published, abs=0.5 * 10**-digits)


@pytest.mark.parametrize("delay", [0, 1, 3, 10, 1000, 10_000])
def test_closed_form_without_momentum(delay: int) -> None:
    expected = 2 * math.sin(math.pi / (4 * delay + 2))
    assert stability.threshold(delay) == pytest.approx(expected, rel=1e-14)
    assert stability.threshold(delay, shifted=True) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("momentum", "shifted"), [*KINDS, (0.99, False), (0.99, True)])
@pytest.mark.parametrize("delay", [0, 1, 2, 5, 17, 60])
def test_roots_of_the_polynomial_cross_the_unit_circle_there(delay: int, momentum: float, shifted: bool) -> None:
    edge = stability.threshold(delay, momentum, shifted=shifted)
    assert stability.spectral_radius(0.999 * edge, delay, momentum, shifted=shifted) < 1
    assert stability.spectral_radius(1.001 * edge, delay, momentum, shifted=shifted) > 1


@pytest.mark.parametrize(("momentum", "shifted"), KINDS)
def test_polynomial_is_that_of_the_simulated_recursion(momentum: float, shifted: bool) -> None:
    delay, step = 3, 0.2
    x, v = [1.0] * 40, [0.0] * 40
    for _ in range(3000):
        old = v[-1 - delay] if shifted else v[-1]
        v.append(momentum * old - (1 - momentum) * step * x[-1 - delay])
        x.append(x[-1] + v[-1])
    c = stability.characteristic_polynomial(step, delay, momentum, shifted=shifted)
    for t in range(50, 100):
        assert np.dot(c, x[t : t - len(c) : -1]) == pytest.approx(0, abs=1e-12 * max(map(abs, x[t - len(c) : t + 1])))


@pytest.mark.parametrize(("momentum", "shifted"), KINDS)
def test_inverse_is_linear_for_long_delays(momentum: float, shifted: bool) -> None:
    def error(delay: int) -> float:
        exact = stability.threshold(delay, momentum, shifted=shifted)
        return abs(1 / exact - 1 / stability.linear_approximation(delay, momentum, shifted=shifted))

    assert error(10_000) < 0.02  # of an inverse near 6,000
    assert error(10_000) / error(1_000) == pytest.approx(0.1, rel=0.1)  # O(1/τ)


def test_linear_approximation_is_the_papers() -> None:
    assert stability.linear_approximation(7) == pytest.approx(math.pi / 15)
    assert 1 / stability.threshold(1) - 3 / math.pi == pytest.approx(0.0451, abs=5e-5)
    assert 1 / stability.threshold(0) - 1 / math.pi == pytest.approx(0.1817, abs=5e-5)


@pytest.mark.parametrize(("momentum", "shifted"), KINDS)
def test_largest_stable_delay_inverts_the_threshold(momentum: float, shifted: bool) -> None:
    for delay in (0, 1, 5, 100, 12_345):
        edge = stability.threshold(delay, momentum, shifted=shifted)
        assert stability.max_stable_delay(edge * (1 - 1e-9), momentum, shifted=shifted) == delay
        assert stability.max_stable_delay(edge, momentum, shifted=shifted) == (delay - 1 if delay else None)


def test_learning_rate_carried_to_another_delay_keeps_its_share_of_the_threshold() -> None:
    carried = stability.transfer_learning_rate(0.3, from_delay=0, to_delay=4, momentum=0.9)
    assert carried / stability.threshold(4, 0.9) == pytest.approx(0.3 / 38)
    back = stability.transfer_learning_rate(carried, from_delay=4, to_delay=0, momentum=0.9)
    assert back == pytest.approx(0.3)


def test_learning_rate_is_the_threshold_over_the_sharpness() -> None:
    assert stability.max_stable_learning_rate(4.0, 1) == pytest.approx(0.25)


@pytest.mark.parametrize("delay", [-1, 1.5, True, "3", None])
def test_delay_that_is_none_is_refused(delay: object) -> None:
    with pytest.raises(ValueError, match=r"delay must be an integer ≥ 0 \(optimizer steps\), not "):
        stability.threshold(delay)  # type: ignore[arg-type]


@pytest.mark.parametrize("momentum", [-0.1, 1.0, 2.0, float("nan")])
def test_momentum_outside_its_range_is_refused(momentum: float) -> None:
    with pytest.raises(ValueError, match="momentum must be at least 0 and below 1, not "):
        stability.threshold(1, momentum)


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_quantities_that_must_be_positive(value: float) -> None:
    with pytest.raises(ValueError, match="sharpness must be a finite number above 0"):
        stability.max_stable_learning_rate(value, 1)
    with pytest.raises(ValueError, match="step must be"):
        stability.max_stable_delay(value)
    with pytest.raises(ValueError, match="learning_rate must be"):
        stability.transfer_learning_rate(value, from_delay=0, to_delay=1)


@pytest.mark.parametrize("short_of_one", [1e-3, 1e-6, 1e-9, 1e-12, 1e-15])
def test_no_digit_is_lost_as_momentum_nears_one(short_of_one: float) -> None:
    m = 1 - short_of_one
    assert stability.threshold(1, m) == pytest.approx(1, rel=1e-9)  # at τ = 1 it is 1 for every momentum
    assert stability.threshold(1, m, shifted=True) == pytest.approx(1 + m, rel=1e-9)  # and 1 + m shifted
    assert stability.threshold(0, m) == pytest.approx(2 * (1 + m) / (1 - m), rel=1e-9)


def test_what_a_float_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="delay must be at most 1e15"):
        stability.threshold(10**400)
    with pytest.raises(ValueError, match="too small for a finite learning rate"):
        stability.max_stable_learning_rate(1e-320, 1)


def test_a_step_that_no_delay_makes_unstable_is_refused_by_its_own_name() -> None:
    least = stability.threshold(stability.LARGEST_DELAY)
    with pytest.raises(ValueError, match=r"step must be at least 1\.57e-15, not 1e-15: it is stable at every delay"):
        stability.max_stable_delay(1e-15)
    largest = stability.max_stable_delay(least)
    assert largest is not None
    assert stability.LARGEST_DELAY * (1 - 1e-12) <= largest < stability.LARGEST_DELAY


def test_the_kind_of_momentum_is_given_once() -> None:
    assert stability.threshold(4, Momentum(0.9, shifted=True)) == stability.threshold(4, 0.9, shifted=True)
    with pytest.raises(ValueError, match="Momentum.m, shifted=True."):
        stability.threshold(4, Momentum(0.9), shifted=True)
