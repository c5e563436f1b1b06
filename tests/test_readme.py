import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_code_in_the_readme_runs(block: str) -> None:
    exec(compile(block, "README.md", "exec"), {})


def test_there_is_code_and_the_picture_exists() -> None:
    assert len(BLOCKS) == 4
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (Path(__file__).parents[1] / picture).stat().st_size > 10_000
