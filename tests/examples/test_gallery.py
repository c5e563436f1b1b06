"""The examples of the gallery are short, and each has its picture; every other example is told of on some page."""

import re

import pytest

from docs import gallery_pictures
from tests.docs.pages import PAGES, ROOT, text_of

EXAMPLES = sorted(example.stem for example in (ROOT / "examples").glob("*.py"))
LONGEST = 60


@pytest.mark.parametrize("example", gallery_pictures.DRAWN)
def test_an_example_is_short_and_is_shown(example: str) -> None:
    page = text_of("docs/gallery.md")
    assert len((ROOT / f"examples/{example}.py").read_text().splitlines()) < LONGEST
    assert f"](../examples/{example}.py)" in page
    assert f"(gallery/{example}.png)" in page
    assert (gallery_pictures.PICTURES / f"{example}.png").is_file()


def test_the_gallery_is_drawn_and_has_no_other_pictures() -> None:
    shown = re.findall(r"\(gallery/(\w+)\.png\)", text_of("docs/gallery.md"))
    assert sorted(shown) == sorted(gallery_pictures.DRAWN)
    assert len(shown) >= 10


def test_no_example_is_left_out() -> None:
    told = "".join(map(text_of, PAGES))
    assert [example for example in EXAMPLES if f"](../examples/{example}.py)" not in told] == []
