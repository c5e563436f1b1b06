import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = {
    page: re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    for page in ("README.md", "docs/remedies.md", "docs/theory.md")
}


@pytest.mark.parametrize(("page", "block"), [(page, block) for page, blocks in BLOCKS.items() for block in blocks])
def test_code_in_a_page_runs(page: str, block: str) -> None:
    exec(compile(block, page, "exec"), {})


def test_there_is_code_and_the_picture_exists() -> None:
    counts = {page: len(blocks) for page, blocks in BLOCKS.items()}
    assert counts == {"README.md": 6, "docs/remedies.md": 2, "docs/theory.md": 1}
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / picture).stat().st_size > 10_000
