"""Regret over time, by hand, and what is drawn and kept of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tautune.analysis.regret import Method, Regret, RegretJson, Run
from tautune.records.typed import decode

PLAIN, HALVED = Method("random", "none"), Method("random", "asha")
REGRET = Regret(
    table="results/a",
    metric="loss",
    mode="min",
    unit="seconds",
    best_value=1.0,
    worst_value=9.0,
    until=10.0,
    workers=2,
    runs=(
        Run(method=PLAIN, seed=0, trials=3, times=(2.0, 5.0), values=(4.0, 2.0)),
        Run(method=PLAIN, seed=1, trials=4, times=(4.0,), values=(3.0,)),
        Run(method=PLAIN, seed=2, trials=5, times=(), values=()),
        Run(method=HALVED, seed=0, trials=9, times=(1.0, 8.0), values=(6.0, 1.0)),
    ),
)


def test_regret_is_the_distance_from_the_best_and_before_a_report_that_of_the_worst() -> None:
    times = np.array([0.0, 2.0, 4.5, 10.0])
    lower, median, upper = REGRET.of(PLAIN, times)  # runs: 8 3 3 1; 8 8 2 2; 8 8 8 8
    assert median.tolist() == [8, 8, 3, 2]
    assert lower.tolist() == [8, 5.5, 2.5, 1.5]
    assert upper.tolist() == [8, 8, 5.5, 5]
    assert REGRET.of(HALVED, times)[1].tolist() == [8, 5, 5, 0]


def test_a_larger_metric_may_be_the_better_one() -> None:
    run = Run(method=PLAIN, seed=0, trials=1, times=(1.0,), values=(0.5,))
    regret = replace(REGRET, mode="max", best_value=0.75, worst_value=0.0, runs=(run,))
    assert regret.of(PLAIN, np.array([0.0, 1.0]))[1].tolist() == [0.75, 0.25]


def test_rows_frames_and_the_best_method() -> None:
    plain, halved = REGRET.rows()
    assert (plain["median_regret"], plain["median_regret_halfway"], plain["trials"]) == (2, 2, 4)
    assert halved["search"] == "random"
    assert REGRET.best == halved
    assert [str(method) for method in REGRET.methods] == ["random", "random + asha"]
    frame = REGRET.to_frame()
    assert len(frame) == 2 * len(REGRET.times)
    assert frame.query("scheduler == 'none' and time == 10")["median"].tolist() == [2]
    assert REGRET.trials["value"].tolist() == [4, 2, 3, 6, 1]


def test_what_is_kept_comes_back() -> None:
    text = json.dumps(REGRET.as_json(), allow_nan=False).encode()
    content = dict(decode(text, RegretJson))
    assert Regret.from_json(content) == REGRET


@pytest.mark.parametrize("runs", [REGRET.runs, REGRET.runs[2:3], REGRET.runs[3:]])
def test_the_figure_has_a_line_for_each_method(runs: tuple[Run, ...], tmp_path: Path) -> None:
    regret = replace(REGRET, runs=runs)
    figure = regret.plot()
    figure.savefig(tmp_path / "a.png")
    lines = figure.axes[0].get_lines()
    for method, line in zip(regret.methods, lines, strict=True):
        assert list(line.get_ydata()) == regret.of(method)[1].tolist()  # type: ignore[arg-type]


def runs_of(method: Method, values: list[float]) -> tuple[Run, ...]:
    return tuple(Run(method=method, seed=s, trials=1, times=(1.0,), values=(v,)) for s, v in enumerate(values))


@pytest.mark.parametrize(
    ("plain", "apart"),
    [
        ([3.0, 4.0, 2.0, 3.5], True),  # 1 more on every seed, which the spread over the seeds would hide
        ([2.0, 3.0, 1.0, 2.5], False),  # the same: whoever finds the best of a small table finds all there is
        ([5.0, 2.9, 0.9, 2.6], False),  # more on one seed, and less on others
        ([2.0, 4.0, 1.5, 2.6], True),
    ],
)
def test_methods_are_told_apart_seed_by_seed(plain: list[float], apart: bool) -> None:
    runs = (*runs_of(HALVED, [2.0, 3.0, 1.0, 2.5]), *runs_of(PLAIN, plain))
    regret = replace(REGRET, best_value=0.0, runs=runs)
    assert regret.undecided() == ([] if apart else [PLAIN])


def test_a_single_seed_tells_nothing_apart() -> None:
    assert REGRET.undecided() == [PLAIN]
