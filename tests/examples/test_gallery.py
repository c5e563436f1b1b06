"""Every example is short, and has its place and its picture in the gallery."""

import re
from pathlib import Path

import pytest

from docs import gallery_pictures
from tests.docs.pages import ROOT, text_of

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
LONGEST = 60


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_is_short_and_is_shown(example: Path) -> None:
    page = text_of("docs/gallery.md")
    assert len(example.read_text().splitlines()) < LONGEST
    assert f"](../examples/{example.name})" in page
    assert f"(gallery/{example.stem}.png)" in page
    assert (gallery_pictures.PICTURES / f"{example.stem}.png").is_file()


def test_the_gallery_is_drawn_and_has_no_other_pictures() -> None:
    shown = re.findall(r"\(gallery/(\w+)\.png\)", text_of("docs/gallery.md"))
    assert sorted(shown) == sorted(gallery_pictures.DRAWN) == [example.stem for example in EXAMPLES]
    assert len(EXAMPLES) >= 10
