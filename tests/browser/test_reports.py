"""Reports in Chromium: no complaint, no request, everything within reach, and a trial that is marked everywhere."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

import tautune
from tautune.analysis.reported import compared, write_page, write_report
from tests.analysis.reports.made import made_tuning
from tests.analysis.reports.test_edge import made_edge
from tests.analysis.reports.test_grid import made_grid
from tests.analysis.reports.test_probe import made_probe
from tests.analysis.reports.test_simulation import made_simulation
from tests.analysis.reports.test_sweep import made_sweep
from tests.browser.visit import PHONE, Visit
from tests.runners.tunings import SMALL, run

pytestmark = pytest.mark.browser
Open = Callable[..., Visit]
LARGEST = 5 * 2**20
"""Size of a report at most, in bytes."""
NASTY = "a 'b' $\\frac$ <script>throw 1<"
"""Name of a folder."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, local_ray: None) -> dict[str, Path]:
    """Returns the reports of real runs, and of one that has many trials."""
    folder = tmp_path_factory.mktemp("runs")
    run(SMALL, "random", "asha", folder / "tuned", trials=6, max_epochs=3)
    swept = tautune.sweep("quadratic", delays=[0, 2], output=folder / "swept")
    tautune.grid("quadratic", delays=[0, 2], learning_rates=4, steps=20, output=folder / "grid")
    tautune.simulate(folder / "tuned", repeats=2, output=folder / "simulated")
    many = made_tuning(folder / "many", trials=60)
    write_report(many)
    write_report(made_edge(folder / "edge"))
    write_report(made_probe(folder / "probe"))
    others = {
        "tuned": many,
        "swept": made_sweep(folder / "other", ratio=1.02),
        "grid": made_grid(folder / "others"),
        "edge": made_edge(folder / NASTY),
        "simulated": made_simulation(folder / f"simulated {NASTY}"),
    }
    for kind, other in others.items():
        write_page(compared([folder / kind, other]), folder / f"compared-{kind}.html")
    assert Path(str(swept.report())) == folder / "swept/report.html"
    kinds = {kind: folder / kind / "report.html" for kind in REPORTS}
    return kinds | {kind: folder / f"{kind}.html" for kind in COMPARISONS}


REPORTS = ("tuned", "swept", "grid", "edge", "probe", "simulated", "many")
COMPARISONS = tuple(f"compared-{kind}" for kind in ("tuned", "swept", "grid", "edge", "simulated"))
KINDS = (*REPORTS, *COMPARISONS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dark", [False, True])
def test_a_report_is_in_order(pages: dict[str, Path], kind: str, dark: bool, open_page: Open) -> None:
    assert pages[kind].stat().st_size <= LARGEST
    seen = open_page(pages[kind].as_uri(), dark=dark)
    for details in seen.page.locator("summary").all():
        details.click()
    assert seen.violations() == []
    assert (seen.complaints, seen.asked_elsewhere) == ([], [])
    drawings = seen.page.locator("svg[role=img]")
    assert drawings.count() == seen.page.locator("figure").count()
    assert drawings.count() > 0
    for drawing in drawings.all():
        title, description = (drawing.get_attribute("aria-labelledby") or "").split()
        assert seen.page.locator(f"#{title}").text_content()
        assert seen.page.locator(f"#{description}").text_content()
        assert drawing.locator("text").count() > 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_fits_a_phone(pages: dict[str, Path], kind: str, open_page: Open) -> None:
    assert open_page(pages[kind].as_uri(), size=PHONE).width == PHONE[0]


def test_colours_follow_light_and_dark(pages: dict[str, Path], open_page: Open) -> None:
    script = (
        "getComputedStyle(document.querySelector('svg text')).fill + getComputedStyle(document.body).backgroundColor"
    )
    light, dark = (open_page(pages["tuned"].as_uri(), dark=dark).page.evaluate(script) for dark in (False, True))
    assert light == "rgb(94, 94, 92)rgb(254, 254, 253)"
    assert dark == "rgb(169, 169, 165)rgb(28, 28, 27)"


def test_a_trial_is_marked_everywhere_by_the_pointer_and_by_the_keyboard(
    pages: dict[str, Path], open_page: Open
) -> None:
    page = open_page(pages["tuned"].as_uri()).page
    first = page.locator("table.sortable tbody tr").first
    key = first.get_attribute("data-trial")
    first.hover()
    marked = page.locator(f"svg .marked[data-trial='{key}']")
    figures = {mark.evaluate("mark => mark.closest('figure').id") for mark in marked.all()}
    assert {"learning-curves", "slices", "time-line"} <= figures
    expect(page.locator("#marked")).to_contain_text(first.locator("th").inner_text())
    first.focus()
    page.keyboard.press("ArrowDown")
    second = page.locator("table.sortable tbody tr").nth(1)
    expect(second).to_be_focused()
    expect(page.locator(f"svg .marked[data-trial='{second.get_attribute('data-trial')}']").first).to_be_attached()
    page.keyboard.press("Escape")
    expect(page.locator(".marked")).to_have_count(0)


def test_the_table_of_trials_is_sorted_by_the_keyboard(pages: dict[str, Path], open_page: Open) -> None:
    page = open_page(pages["many"].as_uri()).page
    column = page.locator("table.sortable thead th", has_text="learning_rate")
    column.locator("button").focus()
    page.keyboard.press("Enter")
    assert column.get_attribute("aria-sort") == "ascending"
    place = int(column.evaluate("th => th.cellIndex"))
    cells = page.locator(f"table.sortable tbody tr > :nth-child({place + 1})").all_inner_texts()
    values = [float(cell) for cell in cells]
    assert values == sorted(values)
    page.keyboard.press("Enter")
    assert column.get_attribute("aria-sort") == "descending"


def test_all_that_can_be_used_is_reached_by_the_tabulator(pages: dict[str, Path], open_page: Open) -> None:
    page = open_page(pages["swept"].as_uri()).page
    wanted = page.locator("a[href]:visible, button:visible, summary:visible, [tabindex='0']:visible").count()
    reached = set()
    for _ in range(wanted):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
    assert len(reached) == wanted


def test_a_command_is_copied(pages: dict[str, Path], open_page: Open) -> None:
    page = open_page(pages["tuned"].as_uri()).page
    command = page.locator(".command").first
    command.get_by_role("button", name="Copy").click()
    expect(command.get_by_role("button")).to_have_text("Copied")


def test_print_has_the_colours_of_paper_and_no_buttons(pages: dict[str, Path], open_page: Open) -> None:
    paper = (720, 1000)
    seen = open_page(pages["many"].as_uri(), size=paper, dark=True)
    page = seen.page
    page.emulate_media(media="print")
    assert seen.width <= paper[0]
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 27, 26)"
    expect(page.locator(".command button").first).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.querySelector('.scroll')).overflow") == "visible"
    rows = page.locator("table.sortable tbody tr")
    heights = [row.evaluate("row => row.getBoundingClientRect().height") for row in rows.all()]
    assert max(heights) < 60  # three lines: columns that are left out take none
    expect(rows.first.locator("td").last).to_be_hidden()
