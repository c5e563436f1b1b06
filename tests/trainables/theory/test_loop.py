"""The calculator beside the tables, the closed forms, and every root of the same loop from a companion matrix."""

import math
from typing import Any

import numpy as np
import pytest

from tautune.trainables.theory import discs, dominant_root, stability
from tautune.trainables.theory.delays import Delays
from tautune.trainables.theory.loop import TrainingLoop
from tautune.trainables.theory.optimizers import OwnFilter
from tests.trainables.theory.loop_reference import (
    CASES,
    DELAYS,
    OPTIMIZERS,
    REMEDIES,
    characteristic,
    optimizer_filter,
    radius,
)

# two independent computations agree on these: τ: Nesterov, spike compensation, prediction T = τ on momentum, and on SGD
TABLE = {
    0: (13.5714, 38.0000, 38.0000, 2.0000),
    1: (2.5314, 2.5314, 2.7016, 0.6180),
    2: (0.8070, 1.1411, 1.2101, 0.3709),
    4: (0.3265, 0.4833, 0.4942, 0.2070),
    16: (0.0785, 0.0962, 0.0772, 0.0569),
    32: (0.0416, 0.0482, 0.0329, 0.0289),
}


def loop_of(optimizer: str, delay: str, remedies: Any) -> TrainingLoop:
    name, m = OPTIMIZERS[optimizer]
    return TrainingLoop(name, DELAYS[delay], remedies, momentum=m)


@pytest.mark.parametrize("delay", TABLE)
def test_published_table(delay: int) -> None:
    found = (
        TrainingLoop("nesterov", delay),
        TrainingLoop("spike-compensation", delay),
        TrainingLoop("dampened-momentum", delay, f"predict:{delay}"),
        TrainingLoop("sgd", delay, "predict"),
    )
    for loop, published in zip(found, TABLE[delay], strict=True):
        assert loop.threshold_at_unit_gain == pytest.approx(published, abs=0.5e-4)


def test_published_thresholds_beside_the_table() -> None:
    at_099 = {"dampened-momentum": 1.0, "spike-compensation": 9.1367}
    for name, published in at_099.items():
        assert TrainingLoop(name, 1, momentum=0.99).threshold == pytest.approx(published, abs=0.5e-4)
    assert TrainingLoop("adam", 1, "predict:1", momentum=0.99).threshold == pytest.approx(9.5125, abs=0.5e-4)
    assert TrainingLoop(delay={d: 1 / 9 for d in range(9)}).threshold == pytest.approx(0.54277, abs=0.5e-5)
    assert TrainingLoop("adam", 0).threshold == pytest.approx(38, rel=1e-12)
    assert TrainingLoop("rmsprop", 1).threshold == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("delay", [0, 1, 2, 8, 64, 10_000, 10**6])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.999, 1 - 1e-6])
def test_it_agrees_with_the_closed_forms_to_the_last_digits(delay: int, momentum: float) -> None:
    dampened = TrainingLoop("dampened-momentum", delay, momentum=momentum)
    assert dampened.threshold == pytest.approx(stability.threshold(delay, momentum), rel=1e-12)
    undampened = TrainingLoop("sgd", delay, momentum=momentum)
    assert undampened.threshold_at_unit_gain == pytest.approx(dampened.threshold, rel=1e-12)
    if momentum:
        shifted = TrainingLoop("shifted-momentum", delay, momentum=momentum)
        assert shifted.threshold == pytest.approx(stability.threshold(delay, momentum, shifted=True), rel=1e-12)
        assert dampened.angle == pytest.approx(stability.boundary_angle(delay, momentum), rel=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_root_of_the_companion_matrix_is_on_the_circle_at_the_threshold_and_none_before(optimizer: str) -> None:
    for case in (case for case in CASES if case[0] == optimizer):
        step = loop_of(*case).threshold
        a, b = characteristic(*case)
        slope = (radius(a, b, 1.0001 * step) - radius(a, b, step / 1.0001)) / 2e-4
        assert radius(a, b, step) - 1 == pytest.approx(0, abs=1e-9 * abs(slope)), case
        assert all(radius(a, b, share * step) < 1 for share in (0.03, 0.3, 0.7, 0.9, 0.99)), case


@pytest.mark.parametrize("largest", [0, 40], ids=["argument principle", "companion matrix"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_growth_is_that_of_the_largest_root(optimizer: str, largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dominant_root, "COMPANION_DEGREE", largest)
    for case in [case for case in CASES if case[0] == optimizer][::4]:
        loop = loop_of(*case)
        for share in (0.3, 1.0, 2.0):
            expected = radius(*characteristic(*case), share * loop.threshold)
            assert math.exp(loop.growth(share * loop.threshold)) == pytest.approx(expected, abs=1e-7), (case, share)


def test_growth_of_a_long_delay_is_that_of_its_lambert_equation() -> None:
    τ = 3_000
    loop = TrainingLoop(delay=τ)
    z = loop.dominant_root(0.5 * loop.threshold)
    assert abs(z ** (τ + 1) - z**τ + 0.5 * loop.threshold) < 1e-12
    assert loop.growth(loop.threshold) == pytest.approx(0, abs=1e-12)
    assert -3 / τ < loop.growth(0.5 * loop.threshold) < 0 < loop.growth(2 * loop.threshold)


@pytest.mark.parametrize("delay", [0, 1, 2, 8, 100])
def test_fastest_decay_without_momentum_is_the_double_root(delay: int) -> None:
    best = TrainingLoop(delay=delay).fastest_decay
    assert best.step == pytest.approx(delay**delay / (delay + 1) ** (delay + 1), rel=1e-8)
    assert math.exp(best.growth) == pytest.approx(delay / (delay + 1), abs=1e-8)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_other_step_decays_faster(optimizer: str) -> None:
    for delay in ("1", "7", "drawn"):
        for remedies in REMEDIES:
            if (optimizer, delay, remedies) not in CASES:
                continue
            loop = loop_of(optimizer, delay, remedies)
            best, (a, b) = loop.fastest_decay, characteristic(optimizer, delay, remedies)
            others = [radius(a, b, float(step)) for step in np.linspace(0.02, 0.98, 20) * loop.threshold]
            beside = [radius(a, b, share * best.step) for share in (0.98, 0.999, 1.001, 1.02)]
            assert min(others + beside) > math.exp(best.growth) - 1e-6, (delay, remedies)
            assert math.exp(loop.growth(best.step)) == pytest.approx(math.exp(best.growth), abs=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_decay_up_to_a_bound_is_the_fastest_there_or_that_at_the_bound(optimizer: str) -> None:
    for delay in ("7", "drawn"):
        if optimizer == "shifted" and delay == "drawn":
            continue
        best = loop_of(optimizer, delay, ()).fastest_decay
        for share in (0.1, 0.9, 1.1, 1.5):
            loop = loop_of(optimizer, delay, ())
            found = loop.best_decay_up_to(share * best.step)
            expected = best if share > 1 else (share * best.step, loop.growth(share * best.step))
            assert found == pytest.approx(expected, rel=1e-9), (delay, share)


def test_a_scan_by_transforms_is_one_by_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    for delay in ({d: 1 / 400 for d in range(400)}, {d: 1 / 50 for d in range(0, 350, 7)}):
        for remedies in ((), ("predict:200",), ("compensate:0.5",)):
            found = TrainingLoop("nesterov", delay, remedies).threshold
            with monkeypatch.context() as patch:
                patch.setattr(discs, "TRANSFORM", math.inf)
                assert found == pytest.approx(TrainingLoop("nesterov", delay, remedies).threshold, rel=1e-12)


def test_an_optimizer_of_ones_own_is_two_polynomials() -> None:
    nesterov = OwnFilter((1.9, -0.9), (1, -0.9))
    assert TrainingLoop(nesterov, 4).threshold == pytest.approx(TrainingLoop("nesterov", 4).threshold, rel=1e-12)
    assert TrainingLoop("3.8,-1.8/2,-1.8", 4).threshold == pytest.approx(TrainingLoop("nesterov", 4).threshold)
    late = OwnFilter((1,), (1, 0))  # an update that waits for a step
    assert TrainingLoop(late, 3).threshold == pytest.approx(stability.threshold(4), rel=1e-12)
    above, below = optimizer_filter("spike-compensation", 0.9, 4)
    spike = TrainingLoop(OwnFilter(tuple(above), tuple(below)), 4)
    assert spike.threshold == pytest.approx(TrainingLoop("spike-compensation", 4).threshold, rel=1e-12)


def test_stages_are_the_sum_over_their_shares_and_a_record_is_its_distribution() -> None:
    stages = Delays.stages([0, 3, 3], [0.5, 0.2, 0.3])
    assert TrainingLoop(delay=stages).threshold == TrainingLoop(delay={0: 0.5, 3: 0.5}).threshold
    assert TrainingLoop(delay=Delays.stages([0, 3])).threshold == TrainingLoop(delay={0: 0.5, 3: 0.5}).threshold
    record = [0, 4, 9, 0, 4, 0, 9, 0, 4, 0]
    assert TrainingLoop(delay=record).threshold == pytest.approx(TrainingLoop(delay=DELAYS["drawn"]).threshold)
    assert TrainingLoop(delay=np.array(record)).threshold == TrainingLoop(delay=record).threshold


def test_a_loop_that_no_step_makes_unstable_has_no_threshold() -> None:
    loop = TrainingLoop("1,-0.5/1,-0.25", 0)
    assert math.isfinite(loop.threshold)
    passive = TrainingLoop("1,1/2,0", 0, "compensate:1")
    assert passive.threshold == pytest.approx(2)


def test_the_delay_margin_inverts_the_threshold() -> None:
    for delay in (0, 1, 7, 300):
        for loop in (
            TrainingLoop(delay=delay),
            TrainingLoop("nesterov", delay),
            TrainingLoop("adam", delay, "predict"),
        ):
            assert loop.delay_margin(loop.threshold * (1 - 1e-9)) == delay
            assert loop.delay_margin(loop.threshold * (1 + 1e-9)) == (delay - 1 if delay else None)
    with pytest.raises(ValueError, match="stretch_margin is for delays that vary"):
        TrainingLoop(delay={0: 0.5, 1: 0.5}).delay_margin(0.1)


def test_the_stretch_margin_of_a_fixed_delay_is_its_closed_form() -> None:
    for step in (0.1, 0.3):
        stretched = TrainingLoop(delay=4).stretch_margin(step) * 4
        assert 2 * math.sin(math.pi / (4 * stretched + 2)) == pytest.approx(step, rel=1e-8)
    varied = TrainingLoop("adam", {0: 0.5, 4: 0.3, 9: 0.2})
    assert varied.stretch_margin(varied.threshold) == pytest.approx(1, rel=1e-8)
    assert TrainingLoop(delay=3).stretch_margin(2.5) == 0
    assert TrainingLoop(delay=0).stretch_margin(1.0) == math.inf
