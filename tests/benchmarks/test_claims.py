"""The study of the paper's claims: what is trained, as a plain loop trains it, and what is concluded."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

import tautune
from benchmarks import record
from benchmarks.claims.conclusions import as_good, best, better, by_way, verdicts
from benchmarks.claims.figures import accuracy_figure
from benchmarks.claims.trials import KINDS, Plan, Rate, accuracies_on, large_rates, network, rates_at, trained
from benchmarks.outcomes.training import Training, training
from tautune.trainables.delay.sgd import delayed_sgd

PLAN = Plan(delays=(1, 2), seeds=2, steps=12, mini_batch=16)


@pytest.fixture(scope="module")
def given() -> Training:
    return training("digits", 2, with_test=True, model=network)


def alone(given: Training, kind: str, delay: int, rate: float, seed: int, batches: int) -> float:
    """Returns the test accuracy after a plain loop with torch's own modules and one mini-batch after another."""
    problem, model = given.problem, given.problem.model.train()
    problem.move_to(given.starts[seed])
    optimizer = delayed_sgd(problem.parameters, rate, delay, KINDS[kind])
    order = problem.batches(PLAN.mini_batch * batches, seed)
    for _ in range(PLAN.steps // batches):
        batch = next(order)
        optimizer.zero_grad()
        cross_entropy(model(problem.inputs[batch]), problem.targets[batch]).backward()
        optimizer.step()
    with torch.no_grad():
        right = model(given.test.inputs).argmax(dim=1) == given.test.targets
    return float(right.float().mean())


@pytest.mark.parametrize(
    ("kind", "delay", "batches"), [("none", 2, 1), ("momentum", 2, 1), ("shifted", 2, 1), ("none", 0, 3)]
)
def test_a_training_is_that_of_a_plain_loop(given: Training, kind: str, delay: int, batches: int) -> None:
    rates = [Rate(("tuned",), 0.3), Rate(("kept",), 1e4)]
    slow, wild = trained(given, kind, delay, rates, PLAN, batches=batches)
    expected = [alone(given, kind, delay, 0.3, seed, batches) for seed in range(2)]
    assert slow["test_accuracies"] == pytest.approx(expected, abs=0.006)  # an image or two of 360 by rounding
    assert slow["diverged"] == [False, False]
    assert wild["diverged"] == [True, True]
    assert wild["test_accuracies"] == [0.1, 0.1]


def test_accuracies_of_many_are_those_of_each(given: Training) -> None:
    starts = [given.starts[0], given.starts[1]]
    sizes = [p.numel() for p in given.problem.parameters]
    pieces = [torch.stack([start.split(sizes)[i] for start in starts]) for i in range(len(sizes))]
    leaves = tuple(q.view(2, *p.shape) for q, p in zip(pieces, given.problem.parameters, strict=True))
    for start, accuracy in zip(starts, accuracies_on(given.test, leaves).tolist(), strict=True):
        given.test.move_to(start)
        right = given.test.model(given.test.inputs).argmax(dim=1) == given.test.targets
        assert accuracy == pytest.approx(float(right.float().mean()))


def test_learning_rates_follow_the_thresholds() -> None:
    def by_way(kind: str, delay: int) -> dict[str, float]:
        return {way: rate.learning_rate for rate in rates_at(kind, delay, 2.0, PLAN) for way in rate.ways}

    plain = by_way("none", 4)
    assert plain["kept"] == 2
    assert plain["usable"] == plain["ratio"] == plain["ladder 1"] == pytest.approx(2 * tautune.threshold(4) / 2)
    heavy = by_way("momentum", 1)
    assert heavy["ratio"] == pytest.approx(2 / 38)  # 38 without delay, 1 with a delay of one step
    assert heavy["usable"] == pytest.approx(2 / 2)
    assert by_way("shifted", 1)["usable"] == pytest.approx(2 * 1.9 / 2)
    assert [rate.learning_rate for rate in large_rates(4, 0.5)] == [0.5, 1.0, 2.0, 2.5]


def row(kind: str, delay: int, accuracies: dict[str, list[float]]) -> dict[str, Any]:
    rates = [
        {"ways": [way], "learning_rate": 0.1 * place, "validation_accuracies": values, "test_accuracies": values}
        for place, (way, values) in enumerate(accuracies.items(), 1)
    ]
    return {"kind": kind, "delay": delay, "rates": rates}


def test_what_is_tuned_is_the_best_on_validation_and_judged_on_the_test() -> None:
    rates = row("none", 1, {"kept": [0.7, 0.7], "usable": [0.6, 0.8], "ratio": [0.5, 0.5]})["rates"]
    rates[1]["test_accuracies"] = [0.1, 0.2]
    assert best(rates)["ways"] == ["kept"]  # of two that are as good, the smaller rate
    rates[1]["validation_accuracies"] = [0.7, 0.8]
    assert by_way({"rates": rates}, "tuned") == [0.1, 0.2]


def test_verdicts() -> None:
    assert better("", 1, [0.9, 0.8], [0.85, 0.79]).verdict == "holds"
    assert better("", 1, [0.85, 0.79], [0.9, 0.8]).verdict == "fails"
    assert better("", 1, [0.9, 0.8], [0.85, 0.81]).verdict == "undecided"  # the seeds disagree
    assert better("", 1, [0.804, 0.804], [0.80, 0.80]).verdict == "undecided"  # as good as the same
    assert as_good("", 1, [0.895, 0.79], [0.9, 0.8]).verdict == "holds"
    assert as_good("", 1, [0.88, 0.79], [0.9, 0.8]).verdict == "fails"
    ways = ("kept", "usable", "ratio")
    rows = [row(kind, 0, {"tuned": [0.9, 0.9]}) for kind in ("none", "momentum")]
    rows += [row(kind, 4, dict.fromkeys(ways, [0.8, 0.81])) for kind in ("none", "momentum", "shifted", "large")]
    found = {v.claim: v.verdict for v in verdicts({"plan": {"delays": [4]}, "rows": rows})}
    assert len(found) == 8
    assert found["kept, below small batches"] == "holds"
    assert found["scaled, as good as small batches"] == "fails"
    assert found["scaled, as good as large batches"] == "holds"
    assert found["shifted, better than momentum, tuned"] == "undecided"


def test_bars_are_within_what_seeds_reached_and_none_belongs_to_a_mean_that_is_off_the_panel() -> None:
    found = json.loads((Path(record.__file__).parent / "results/claims/fashion_mnist.json").read_text())
    for axes in accuracy_figure(found).axes:
        low, high = axes.get_ylim()
        ends = np.concatenate([bar[:, 1] for bars in axes.collections for bar in bars.get_segments()])  # type: ignore[attr-defined]
        assert len(ends) > 30
        assert (ends >= max(0, low)).all()
        assert (ends <= min(100, high)).all()
