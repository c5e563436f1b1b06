"""The tests of pages see what they are there to see: a page with each fault has it told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.visit import PHONE, Visit

pytestmark = pytest.mark.browser

FAULTY = """<!doctype html><html lang="en"><title>faulty</title><body style="background: #fff">
<p style="color: #ccc">pale</p><div style="width: 900px">wide</div><img src="http://example.com/a.png" alt="">
<script>console.error("out loud"); setTimeout(() => { throw Error("not caught") })</script></body></html>"""


def test_a_faulty_page_is_told(open_page: Callable[..., Visit], tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(FAULTY)
    seen = open_page((tmp_path / "page.html").as_uri(), size=PHONE)
    seen.page.wait_for_function("true")
    assert {"out loud", "not caught"} <= set(seen.complaints)
    assert seen.asked_elsewhere == ["http://example.com/a.png"]
    assert ["pale" in line for line in seen.violations("color-contrast")] == [True]
    assert seen.width > PHONE[0]


def test_a_good_page_is_not(open_page: Callable[..., Visit], tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text('<!doctype html><html lang="en"><title>good</title><main>black</main></html>')
    seen = open_page((tmp_path / "page.html").as_uri(), size=PHONE)
    assert (seen.complaints, seen.asked_elsewhere, seen.violations(), seen.width) == ([], [], [], PHONE[0])
