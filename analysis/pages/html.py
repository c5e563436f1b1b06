"""Writes a page as one HTML file that needs no network: style, script and figures are in it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from tautune.analysis import figure_style
from tautune.analysis.pages.svg import inline_svg, variable
from tautune.records.provenance import now, readable

if TYPE_CHECKING:
    from tautune.analysis.pages.page import Chart, Page, Table


def as_html(page: Page) -> str:
    """Returns the page."""
    rendered: str = _template().render(
        page=page,
        made=readable(now()),
        style=Markup(_file("style.css")),
        script=Markup(_file("script.js")),
        light=_colours(dark=False),
        dark=_colours(dark=True),
    )
    return rendered


@cache
def _template() -> Any:
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters |= {"svg": _svg, "cell": cell, "numeric": numeric_columns, "decimals": decimals, "words": words}
    environment.filters["command"] = command
    return environment.from_string(_file("page.html"))


def _svg(chart: Chart) -> Markup:
    return Markup(inline_svg(chart))


def words(text: str) -> Markup:
    """Returns a sentence as HTML: what stands between backticks is code, and no line ends within ± 0.24 % or τ = 8."""
    whole = re.sub(r"(?<=±) (?=\d)|(?<=\d) (?=%)|(?<=\b[ητλm]) (?== )|(?<=[ητλm] =) ", "\N{NO-BREAK SPACE}", text)
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(whole))))


def command(text: str) -> Markup:
    """Returns a command as HTML, in which no line ends within the name of an option."""
    return Markup(re.sub(r"(?<!\S)(--[\w-]+)", r'<span class="option">\1</span>', str(escape(text))))


def _file(name: str) -> str:
    return resources.files("tautune.analysis.pages").joinpath(name).read_text(encoding="utf-8")


def _colours(*, dark: bool) -> Markup:
    pairs = figure_style.DARK.items()
    return Markup(" ".join(f"{variable(light)}: {on_dark if dark else light};" for light, on_dark in pairs))


def numeric_columns(table: Table) -> list[bool]:
    """Returns which columns have numbers alone, which are set to the right."""
    return [
        all(_is_number(row[place]) or row[place] is None for row in table.rows) for place in range(len(table.columns))
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def decimals(table: Table) -> list[int | None]:
    """Returns how many decimals the numbers of each column have; None where each number has its own.

    Decimal points stand below one another in columns of fractions, whose largest has six digits, unless the smallest
    would have fewer than three.
    """
    return [_decimals([row[place] for row in table.rows]) for place in range(len(table.columns))]


def _decimals(column: Sequence[Any]) -> int | None:
    if any(isinstance(value, int) for value in column):  # a table of unlike things
        return None
    fractions = [abs(value) for value in column if isinstance(value, float) and math.isfinite(value) and value]
    texts = [f"{value:.6g}" for value in fractions]
    if not texts or "e" in "".join(texts) or max(fractions) > 1000 * min(fractions):
        return None
    needed = max(len(text.partition(".")[2]) for text in texts)
    return min(needed, max(0, 5 - math.floor(math.log10(max(fractions)))))


def cell(value: Any, places: int | None = None) -> str:
    """Returns a cell's text: numbers to six digits or to so many decimals, and nothing where there is no value."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return str(value)
    return f"{value + 0.0:.6g}" if places is None or not value else f"{value + 0.0:.{places}f}"  # there is no -0
