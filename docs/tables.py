"""Tables of a page that are computed: each stands between a comment with its name and a comment that ends it."""

import re
from collections.abc import Callable, Mapping, Sequence

BEGIN, END = "<!-- computed: {} -->\n", "<!-- end -->"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def computed(page: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """Returns the page with its tables computed anew."""
    for name, make in tables.items():
        page = re.sub(
            re.escape(BEGIN.format(name)) + r".*?" + re.escape(END),
            lambda _, name=name, make=make: BEGIN.format(name) + make() + END,  # type: ignore[misc]
            page,
            flags=re.DOTALL,
        )
    return page
