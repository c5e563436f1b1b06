"""The messages that the page on troubleshooting explains are messages of the code."""

import ast
import re

from tests.docs.pages import ROOT, text_of
from tests.test_house import ROOMS

OF_OTHERS = ("operator torchvision::nms does not exist",)
GAP = "…"


def messages() -> set[str]:
    """Returns every text of the code, with a gap for each value that is filled in."""
    found = set()
    for room in ROOMS:
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.JoinedStr):
                    found.add("".join(str(v.value) if isinstance(v, ast.Constant) else GAP for v in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value)
    return found


def test_every_message_that_is_explained_can_be_met() -> None:
    page = re.sub(r"^## .*", "", text_of("docs/troubleshooting.md"), flags=re.MULTILINE)
    cells = re.findall(r"^\| (.*?) \|", page, re.MULTILINE)
    quoted = [message for cell in cells for message in re.findall(r"`([^`]*)`", cell) if " " in message]
    assert len(quoted) > 20
    code = "\n".join(messages())
    missing = [
        m for m in quoted if m not in OF_OTHERS and not all(part in code for part in re.split(rf"\s*{GAP}\s*", m))
    ]
    assert missing == []
