"""The study of outcomes: lanes that train together as they would alone, and what is concluded from them."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

import tautune
from benchmarks.outcomes.__main__ import measured
from benchmarks.outcomes.cells import Plan, made
from benchmarks.outcomes.conclusions import claim, correlations
from benchmarks.outcomes.lanes import Lane, Stack
from benchmarks.outcomes.training import training

ADVICE = tautune.advise(2)


@pytest.mark.parametrize("remedy", ["none", "predict:2", "compensate:0.5"])
@pytest.mark.parametrize("optimizer", ["nesterov", "shifted-momentum", "adam"])
def test_a_lane_trains_as_its_snippet_does_alone(optimizer: str, remedy: str) -> None:
    (row,) = [row for row in ADVICE if (row.optimizer, row.remedy) == (optimizer, remedy)]
    problem, _, _, starts, *_ = training("digits", 2)
    lanes = [Lane(seed, partial(made, row, factor)) for factor in (0.5, 0.01) for seed in (0, 1)]
    stacked = Stack(problem, starts, lanes, 16)
    for _ in range(12):
        stacked.step()
    problem.move_to(starts[1])  # the last lane, in a plain loop with torch's own modules
    alone = made(row, 0.01, problem.model)
    batches = problem.batches(16, 1)
    for _ in range(12):
        batch = next(batches)
        alone.zero_grad()
        if remedy == "predict:2":
            with alone.predicted():  # type: ignore[attr-defined]
                cross_entropy(problem.model(problem.inputs[batch]), problem.targets[batch]).backward()
        else:
            cross_entropy(problem.model(problem.inputs[batch]), problem.targets[batch]).backward()
        alone.step()
    assert not torch.allclose(stacked.x[3], starts[1], atol=1e-5)
    torch.testing.assert_close(stacked.x[3], problem.point, rtol=1e-4, atol=1e-5)


def test_a_run_that_was_stopped_keeps_its_rows(tmp_path: Path) -> None:
    plan = Plan(delays=(1,), seeds=2, steps=20, ladder=(0.25, 1.0), refined=(2.0,), optimizers=("sgd", "adam"))
    found = measured("digits", plan, tmp_path)
    assert len(found["rows"]) == 6
    for row in found["rows"]:
        factors = [rate["factor"] for rate in row["rates"]]
        assert len(set(factors)) == 4
        assert factors == sorted(factors)
        best = min(row["rates"], key=lambda rate: sum(rate["losses"]))
        assert sum(best["losses"]) / 2 < 2.3  # below the loss of ten equal probabilities
    again = measured("digits", plan, tmp_path)
    assert again["rows"] == found["rows"]
    assert {row["group"] for row in again["correlations"]} >= {"all", "SGD and its kin", "Adam and its kin"}


def row(name: str, threshold: float, losses: list[float], rank: int = 1) -> dict[str, object]:
    rates = [{"factor": 1.0, "losses": losses}, {"factor": 4.0, "losses": [9.0] * len(losses)}]
    known = {"delay": 1, "optimizer": name, "remedy": "none", "decay": -threshold, "rank": rank}
    return known | {"threshold_at_unit_gain": threshold, "rates": rates}


def test_a_claim_agrees_contradicts_or_is_undecided() -> None:
    plain = row("sgd", 1.0, [0.4, 0.5])
    assert claim(row("nesterov", 2.0, [0.3, 0.4]), plain).verdict == "agrees"
    assert claim(row("nesterov", 0.5, [0.3, 0.4]), plain).verdict == "contradicts"
    assert claim(row("nesterov", 0.5, [0.3, 0.6]), plain).verdict == "undecided"  # the seeds differ
    assert claim(row("nesterov", 1.01, [0.3, 0.4]), plain).verdict == "undecided"  # no claim


def test_a_perfect_ranking_has_a_correlation_of_one() -> None:
    rows = [row(name, float(t), [1 / t], rank=4 - t) for t, name in enumerate(("sgd", "nesterov", "adam"), 1)]
    found = {(c["group"], c["score"]): c["correlation"] for c in correlations(rows)}
    assert found["all", "threshold"] == pytest.approx(1)
    assert found["all", "advise's order"] == pytest.approx(1)
    worst = [row(name, float(t), [float(t)]) for t, name in enumerate(("sgd", "nesterov", "adam"), 1)]
    assert correlations(worst)[1]["correlation"] == pytest.approx(-1)
