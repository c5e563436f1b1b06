"""A visit to a page in Chromium, which remembers what the page complained of and whom it asked for something."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

PHONE = (390, 844)
"""Width and height of a phone's screen, in CSS pixels."""
HERE = ("", "127.0.0.1", "localhost")
"""Hosts that are this machine; files and data: addresses have none."""
AA = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
"""axe-core's names for the rules of WCAG 2.1 up to level AA, contrast among them."""


@dataclass
class Visit:
    """A page that is open."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings of its console, and exceptions that nobody caught."""
    asked_elsewhere: list[str] = field(default_factory=list)
    """Addresses on other hosts that it asked for; none is let through."""

    @property
    def width(self) -> int:
        """Returns the width that the content needs, in CSS pixels: more than the window's where it must be scrolled."""
        return int(self.page.evaluate("document.documentElement.scrollWidth"))

    def violations(self, *rules: str) -> list[str]:
        """Returns what axe-core finds wrong: rule, the element's HTML and what is the matter with it, a line each.

        Args:
            rules: names of rules, such as color-contrast; none of them stands for all of `AA`.
        """
        only = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": list(AA)}
        found = Axe().run(self.page, options={"runOnly": only, "resultTypes": ["violations"]})
        return [
            f"{violation['id']}: {node['html'][:200]}: {node['failureSummary']}"
            for violation in found.response["violations"]
            for node in violation["nodes"]
        ]


def visit(chromium: Browser, address: str, *, size: tuple[int, int] = (1280, 900), dark: bool = False) -> Visit:
    """Opens an address in a window of its own, and returns once it has loaded."""
    page = chromium.new_page(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    made = Visit(page)
    page.on("console", lambda said: made.complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: made.complaints.append(str(error)))

    def is_elsewhere(url: str) -> bool:
        elsewhere = (urlsplit(url).hostname or "") not in HERE
        if elsewhere:
            made.asked_elsewhere.append(url)
        return elsewhere

    page.route(is_elsewhere, lambda route: route.abort())
    page.goto(address)
    return made
