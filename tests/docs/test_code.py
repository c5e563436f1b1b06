"""README is short, and the Python code of every page runs as it is printed."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, blocks, text_of

BLOCKS = [(page, number, block) for page in PAGES for number, block in enumerate(blocks(page, "python"), start=1)]
LONGEST_README = 100


def test_the_readme_is_short() -> None:
    assert len(text_of("README.md").splitlines()) <= LONGEST_README


@pytest.mark.parametrize(("page", "number", "block"), BLOCKS, ids=[f"{page}-{n}" for page, n, _ in BLOCKS])
def test_code_in_a_page_runs(
    page: str, number: int, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block, f"{page}, block {number}", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("page", PAGES)
def test_pictures_of_a_page_exist(page: str) -> None:
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", text_of(page))
    assert [picture for picture in pictures if not ((ROOT / page).parent / picture).is_file()] == []


def test_there_is_code_and_a_picture() -> None:
    """So that a change of how pages are written does not leave the tests above with nothing to do."""
    assert {"README.md", "docs/delay.md", "docs/measure.md", "docs/remedies.md"} <= {page for page, _, _ in BLOCKS}
    assert "](docs/digits.png)" in text_of("README.md")
