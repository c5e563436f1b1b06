import numpy as np
import pytest

from tautune.trainables.theory import stability
from tautune.trainables.threshold.growth import envelope_rate, oscillation_rate


@pytest.mark.parametrize("rate", [-0.03, -1e-5, 0.0, 1e-5, 0.02])
@pytest.mark.parametrize("period", [3.0, 6.1, 20.0, 500.0])
def test_an_oscillation_that_grows_or_shrinks(rate: float, period: float) -> None:
    t = np.arange(int(2 * period) + 40)
    lag = max(1, int(period / 6))
    record = np.exp(rate * t) * np.cos(2 * np.pi * t / period + 0.3)
    assert oscillation_rate(record, lag) == pytest.approx(rate, abs=1e-10)


@pytest.mark.parametrize("factor", [0.9, 1.01, -0.98, -1.02])
def test_a_lone_real_mode(factor: float) -> None:
    record = factor ** np.arange(60.0)
    noise = 1e-7 * np.random.default_rng(0).standard_normal(60)
    assert oscillation_rate(record * (1 + noise), 1) == pytest.approx(np.log(abs(factor)), abs=1e-5)


@pytest.mark.parametrize(("momentum", "shifted"), [(0.0, False), (0.5, False), (0.9, False), (0.5, True)])
@pytest.mark.parametrize("delay", [0, 1, 4, 16])
@pytest.mark.parametrize("share", [0.97, 1.02])
def test_the_delayed_recursion_against_its_characteristic_polynomial(
    delay: int, momentum: float, shifted: bool, share: float
) -> None:
    step = share * stability.threshold(delay, momentum, shifted=shifted)
    x, v = [1.0] * (delay + 1), [0.0] * (delay + 1)
    for _ in range(60 * (delay + 1)):
        old = v[-1 - delay] if shifted else v[-1]
        v.append(momentum * old - (1 - momentum) * step * x[-1 - delay])
        x.append(x[-1] + v[-1])
    expected = np.log(stability.spectral_radius(step, delay, momentum, shifted=shifted))
    assert oscillation_rate(np.array(x), delay + 1) == pytest.approx(expected, rel=1e-3)


def test_the_envelope_of_a_noisy_record() -> None:
    noise = np.random.default_rng(0).lognormal(sigma=0.5, size=4000)
    record = np.exp(-0.01 * np.arange(4000)) * noise
    assert envelope_rate(record) == pytest.approx(-0.01, rel=0.02)
