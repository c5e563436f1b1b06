"""Makes matplotlib's SVG a part of a page: text in the page's font, colours that follow light and dark, marked trials.

matplotlib writes text as text, with `svg.fonttype: none`, in 15 kB a figure. Plotly's library alone would add 4.8 MB to
each page, and Altair's 0.9 MB; what a page needs of them, that a trial is marked everywhere, is a few lines of script.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from tautune.analysis.figure_style import DARK, INK, TRIALS, styled
from tautune.analysis.pages.page import Chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG = "http://www.w3.org/2000/svg"
XLINK = "{http://www.w3.org/1999/xlink}href"
COORDINATES = ("d", "x", "y", "transform", "points")
"""Attributes whose numbers matter to a tenth of a point."""


@styled
def inline_svg(chart: Chart) -> str:
    """Returns the figure as an <svg> element that needs nothing but the page's style sheet.

    Raises:
        ValueError: marks of trials are not as many as their trials.
    """
    root = ElementTree.fromstring(saved(chart.figure, "svg", facecolor="none"))
    for element in root.findall(f"{{{SVG}}}metadata"):
        root.remove(element)
    for group in list(root.iter(f"{{{SVG}}}g")):
        if (name := group.get("id", "")).startswith(TRIALS):
            _mark(group, name.removeprefix(TRIALS).split(","))
    _own_ids(root, chart.name)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{SVG}}}")
        for name in COORDINATES:
            if name in element.attrib:
                element.set(name, re.sub(r"-?\d+\.\d+", _short, element.attrib[name]))
        if "style" in element.attrib:
            element.set("style", _styled_by_page(element.attrib["style"]))
    return _titled(root, chart)


@styled
def saved(figure: Figure, kind: str, **options: Any) -> bytes:
    """Returns the figure as a file: svg, pdf or png."""
    content = io.BytesIO()
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    figure.savefig(content, format=kind, metadata=metadata, **options)
    return content.getvalue()


def _mark(group: ElementTree.Element, keys: list[str]) -> None:
    """Gives each mark of a group its trial. Marks are <use> of one shape, or <path> that differ."""
    uses = list(group.iter(f"{{{SVG}}}use"))
    inside = {id(path) for defs in group.iter(f"{{{SVG}}}defs") for path in defs.iter()}
    marks = uses or [path for path in group.iter(f"{{{SVG}}}path") if id(path) not in inside]
    for mark, key in zip(marks, keys, strict=True):
        mark.set("data-trial", key)


def _own_ids(root: ElementTree.Element, name: str) -> None:
    """Removes ids that nothing refers to, and begins the others with the figure's name: a page has many figures."""
    text = ElementTree.tostring(root, encoding="unicode")
    used = set(re.findall(r'url\(#([^)]+)\)|="#([^"]+)"', text))
    wanted = {first or second for first, second in used}
    for element in root.iter():
        own = element.attrib.pop("id", None)
        if own in wanted:
            element.set("id", f"{name}-{own}")
        if (link := element.attrib.pop(XLINK, None)) is not None:
            element.set("href", f"#{name}-{link[1:]}" if link.startswith("#") else link)
        for attribute in ("clip-path", "style"):  # a hatch is in a style
            if "url(#" in element.get(attribute, ""):
                element.set(attribute, element.attrib[attribute].replace("url(#", f"url(#{name}-"))


def _short(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")


def _styled_by_page(style: str) -> str:
    """Returns a style whose font and colours are the page's own: variables, which differ in light and dark."""
    style = re.sub(r"((?:font|font-family): [^;']*)'[^;]*", r"\1var(--sans)", style)
    return re.sub("|".join(DARK), lambda colour: f"var({variable(colour[0])})", style)


def variable(colour: str) -> str:
    """Returns the name of the page's variable for a colour."""
    return f"--c{colour.removeprefix('#')}"


def _titled(root: ElementTree.Element, chart: Chart) -> str:
    """Returns the element as text, with its title and its description first."""
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    ids = f"{chart.name}-title", f"{chart.name}-desc"
    root.attrib |= {"role": "img", "aria-labelledby": " ".join(ids), "fill": f"var({variable(INK)})"}
    for place, (tag, text) in enumerate((("title", chart.title), ("desc", chart.says))):
        element = ElementTree.Element(tag, {"id": ids[place]})
        element.text = text
        root.insert(place, element)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)
