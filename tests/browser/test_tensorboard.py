"""A real TensorBoard in Chromium: its first screen, HParams, custom scalars, images and words show what they should."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from ray import tune

from tautune.analysis.board import show_thresholds
from tautune.runners.trials import Trials
from tautune.runners.tuning_board import TuningBoard
from tautune.search_spaces.space import as_text
from tautune.trainables.goal import ACCURACY, Goal
from tests.analysis.test_thresholds import concluded, record
from tests.browser.visit import Visit
from tests.runners.test_trials import result

pytestmark = pytest.mark.browser
NASTY = "a 'b' \"c\" <img src=x onerror=throw(1)>"
SPACE = {"learning_rate": tune.loguniform(1e-4, 1), "optimizer": tune.choice(["adam", NASTY])}
CONFIGURATION = {"study": NASTY, "space": {name: as_text(entry) for name, entry in SPACE.items()}}
CONFIGS: list[dict[str, Any]] = [
    {"learning_rate": 0.045, "optimizer": "adam"},
    {"learning_rate": 0.1, "optimizer": NASTY},
]
NAMES = ("01 adam η=4.5e-2", "02 a-b-c…row-1 η=0.1")
PATIENCE = 30_000
"""Milliseconds that a page may take: the machine may be busy."""


def tune_in(folder: Path, goal: Goal = ACCURACY) -> None:
    """Writes the events of two trials, whose second epoch is their best, and the third their last."""
    trials = Trials(folder, SPACE, total=2, goal=goal)
    board = TuningBoard(folder, CONFIGURATION, goal)
    board.begin(trials)
    for number, config in enumerate(CONFIGS, start=1):
        for epoch, accuracy in enumerate((0.5, 0.8125, 0.6875), start=1):
            late = [(step, 0, age, step, step) for step, age in enumerate((0, 1, 1, 3))]
            reported = result(accuracy / number, 1 - accuracy, epoch, delays=late)
            board.reported(number, config, reported, trials.report(str(number), number, config, reported))
        row = trials.end(str(number), finished=True)
        assert row
        board.ended(row, trials)
    board.close(trials)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Yields the address of a run's TensorBoard, which `tautune board` starts when it is first asked for."""
    folder = tmp_path_factory.mktemp("results")
    tune_in(folder / "tuned")
    show_thresholds(concluded([record(delay, 1.0001) for delay in (0, 1, 4)]), folder / "swept")
    running: dict[str, tuple[str, subprocess.Popen[str]]] = {}

    def started(run: str) -> str:
        if run not in running:
            command = [sys.executable, "-m", "tautune", "board", str(folder / run), "--port", "0"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert process.stdout
            running[run] = process.stdout.readline().split(" ")[0], process
        return running[run][0]

    yield started
    for _, process in running.values():
        process.terminate()
        process.wait()


@pytest.fixture
def shown(address: Callable[[str], str], open_page: Callable[..., Visit]) -> Iterator[Callable[..., Page]]:
    """Yields a function that opens a tab of a run's TensorBoard; at the end, none has complained or asked elsewhere."""
    visits: list[Visit] = []

    def opened(run: str, tab: str = "timeseries") -> Page:
        visits.append(open_page(f"{address(run)}#{tab}", size=(1440, 900)))
        page = visits[-1].page
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        return page

    yield opened
    for visit in visits:
        own = [said for said in visit.complaints if "Three.js" not in said and "deprecated" not in said]
        assert own == []
        assert visit.asked_elsewhere == []


def test_the_first_screen_of_a_tuning_is_its_validation_scores_by_readable_names(shown: Callable[..., Page]) -> None:
    page = shown("tuned")
    cards = page.locator("card-view")
    expect(cards.nth(1)).to_be_visible()
    for place, tag in enumerate(("1 validation/accuracy", "1 validation/loss")):
        expect(cards.nth(place)).to_contain_text(tag)
        expect(cards.nth(place)).to_be_in_viewport()
    runs = page.locator("runs-data-table")
    for name in (*NAMES, "study"):
        expect(runs).to_contain_text(name)
    expect(page.locator("card-view").first.locator("scalar-card-data-table")).to_contain_text("0.6875")  # unsmoothed


def test_the_ages_of_gradients_are_a_card_for_each_trial_in_the_last_group(shown: Callable[..., Page]) -> None:
    page = shown("tuned")
    expect(page.locator("card-view").first).to_be_visible()
    last = page.locator("metrics-card-group-toolbar").last
    expect(last).to_contain_text("6 lateness")
    cards = page.locator("histogram-card")
    expect(cards).to_have_count(0)  # until it is opened
    last.click()
    expect(cards).to_have_count(len(NAMES))
    cards.first.scroll_into_view_if_needed()
    epochs = cards.first.locator("g.histogram")
    expect(epochs).to_have_count(3)


def test_hparams_has_each_trial_with_its_best_epoch(shown: Callable[..., Page]) -> None:
    page = shown("tuned", "hparams")
    rows = page.locator("tf-hparams-table-view vaadin-grid")
    expect(rows).to_contain_text("learning_rate")
    for said in ("best_accuracy", "best_epoch", "epochs_trained", "0.81250", "0.40625", "0.045000", NASTY):
        expect(rows).to_contain_text(said)


def test_custom_scalars_have_measured_and_predicted_thresholds_in_one_chart(shown: Callable[..., Page]) -> None:
    page = shown("swept", "custom_scalars")
    chart = page.locator("tf-custom-scalar-margin-chart-card").first
    expect(chart).to_contain_text("largest stable η: measured, predicted")
    expect(chart).to_contain_text("Matches (2)")
    chart.get_by_text("Matches").click()
    for run in ("measured", "theory"):
        expect(chart).to_contain_text(run)


def test_each_panel_is_a_picture(shown: Callable[..., Page]) -> None:
    page = shown("swept", "images")
    for panel in ("error", "escapes", "thresholds"):
        expect(page.locator("tf-image-loader").filter(has_text=f"pictures/{panel}")).to_be_visible()
    picture = page.locator("tf-image-loader img").first
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.complete && image.naturalWidth") >= 800


def test_the_verdict_is_words_and_no_markup_of_the_users(shown: Callable[..., Page]) -> None:
    words = shown("tuned", "text").locator("tf-text-loader").first
    expect(words).to_contain_text("validation accuracy 0.8125 at epoch 2 of 3 (2 of 2 trials: 2 finished)")
    expect(words).to_contain_text(NASTY)
    expect(shown("swept", "text").locator("tf-text-loader").first).to_contain_text("keep η below")
