"""The reports of simulations."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tautune.analysis.pages.html import as_html
from tautune.analysis.regret import Method, Regret, Run
from tautune.analysis.report import write_regret
from tautune.analysis.reported import compared, read_page
from tautune.analysis.reports.simulation import verdict_of
from tautune.records.errors import InputError
from tests.docs.test_commands import refusal

PLAIN = Run(method=Method("random", "none"), seed=0, trials=3, times=(1.0, 4.0), values=(0.5, 0.8))
HALVED = replace(PLAIN, method=Method("hyperopt", "asha"), values=(0.6, 0.9))
REGRET = Regret(
    table="t.csv",
    metric="validation_accuracy",
    mode="max",
    unit="seconds",
    best_value=0.9,
    worst_value=0.1,
    until=10.0,
    workers=1,
    runs=(PLAIN, HALVED),
)


def made_simulation(folder: Path, **changes: Any) -> Path:
    """Writes a simulation of two methods."""
    folder.mkdir(exist_ok=True)
    regret = replace(REGRET, **changes)
    methods = {"searches": ["random", "hyperopt"], "schedulers": ["none", "asha"]}
    table = {"table": regret.table, "metric": regret.metric, "mode": regret.mode}
    asked = {"kind": "simulation", "workers": regret.workers, "repeats": 1, "time_budget": 10.0} | table | methods
    (folder / "run.json").write_text(json.dumps({"configuration": asked, "runs": []}))
    write_regret(regret, folder)
    return folder


def test_a_simulation_names_the_method_that_ends_nearest(tmp_path: Path) -> None:
    page = read_page(made_simulation(tmp_path))
    assert page.verdict.startswith(
        "HyperOpt + ASHA ends nearest to the best of the table: its median regret is 0 after 10"
    )
    command = next(section.commands[0] for section in page.sections if section.commands)
    assert refusal(command) is None
    assert "--workers 1 --repeats 1 --time-budget 10" in command
    as_html(page)
    (tmp_path / "simulate.json").write_text("{")
    assert "simulate.json is damaged" in read_page(tmp_path).notes[0]


@pytest.mark.parametrize(
    ("runs", "verdict"),
    [
        (
            [replace(HALVED, seed=0), replace(HALVED, seed=1), replace(PLAIN, seed=0), replace(PLAIN, seed=1)],
            "HyperOpt + ASHA ends nearest to the best of the table: its median regret is 0 after 10 seconds, and 0 "
            "halfway.",
        ),
        (
            [HALVED, PLAIN],  # a single seed
            "HyperOpt + ASHA ends nearest to the best of the table: its median regret is 0 after 10 seconds, and 0 "
            "halfway. These runs do not tell it apart from random search.",
        ),
        (
            [replace(HALVED, times=(1.0, 6.0)), replace(PLAIN, values=(0.5, 0.9))],
            "Random search and HyperOpt + ASHA end equally near to the best of the table: their median regret is 0 "
            "after 10 seconds, and 0 halfway, where random search was ahead.",
        ),
        (
            [replace(PLAIN, method=Method(name, "none")) for name in ("random", "hyperopt", "gp")],
            "All 3 methods end equally near to the best of the table: their median regret is 0.1 after 10 seconds, and "
            "0.1 halfway.",
        ),
    ],
)
def test_methods_that_tie_are_said_to_and_what_is_not_told_apart_is_named(runs: list[Run], verdict: str) -> None:
    assert verdict_of(replace(REGRET, runs=tuple(runs))) == verdict


def test_simulations_are_compared_method_by_method(tmp_path: Path) -> None:
    """At the end the regrets are 0.1 and 0 in the first; in the second one, 0.1 and no other."""
    folders = [
        made_simulation(tmp_path / "a"),
        made_simulation(tmp_path / "b $x$ <b>", runs=(PLAIN,), workers=4, note="it is short"),
    ]
    page = compared(folders)
    assert page.verdict == (
        "At the end these are nearest to the best of the table: HyperOpt + ASHA in a; random search in b $x$ <b>."
    )
    assert page.notes == ["Of the table of b $x$ <b>: it is short."]
    table = page.sections[0].table
    assert table
    assert table.columns[1:] == ("a", "b $x$ <b>")
    by_method = {name: [shown and round(shown, 9) for shown in rest] for name, *rest in table.rows}
    assert by_method == {"random search": [0.1, 0.1], "HyperOpt + ASHA": [0, None]}
    (chart,) = page.charts
    assert chart.table
    assert all(axes.get_xlim()[0] > -0.1 * axes.get_xlim()[1] for axes in chart.figure.axes)  # no regret is below 0
    halfway = {row[:2]: row[3] for row in chart.table.rows}
    assert halfway == pytest.approx(
        {("a", "random search"): 0.1, ("a", "HyperOpt + ASHA"): 0, ("b $x$ <b>", "random search"): 0.1}
    )
    html = as_html(page)
    assert html.count("b $x$ &lt;b&gt;") > 3
    assert "<b>" not in html


def test_of_other_tables_it_is_said_and_what_is_damaged_is_left_out(tmp_path: Path) -> None:
    folders = [
        made_simulation(tmp_path / "a"),
        made_simulation(tmp_path / "b", best_value=0.95),
        made_simulation(tmp_path / "c"),
    ]
    (folders[2] / "simulate.json").write_text("{")
    damaged, apart = compared(folders).notes
    assert damaged.startswith("Left out: ")
    assert "c/simulate.json is damaged" in damaged
    assert apart == "These are not of one table: each regret is counted from the best of its own."
    for folder in folders:
        (folder / "simulate.json").write_text("{")
    with pytest.raises(InputError, match="compare needs a simulation with a result; none of these has one"):
        compared(folders)


def test_simulations_by_other_metrics_are_not_compared(tmp_path: Path) -> None:
    folders = [made_simulation(tmp_path / "a"), made_simulation(tmp_path / "b", metric="loss", mode="min")]
    words = (
        r"simulations by one metric: these compared their methods a by validation_accuracy \(max\), b by loss \(min\)"
    )
    with pytest.raises(InputError, match=words):
        compared(folders)
