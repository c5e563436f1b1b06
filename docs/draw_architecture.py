"""Draws the imports between rooms: a table of all of them in docs/architecture.md, and a picture; a test compares both.

python -m docs.draw_architecture
"""

import re
from pathlib import Path
from statistics import fmean
from typing import Any

import grimp
import networkx
from matplotlib.figure import Figure

from tautune.analysis.figure_style import FAINT, PAPER, QUIET, styled
from tautune.analysis.pages.svg import saved

PAGE = Path(__file__).parent / "architecture.md"
PICTURES = PAGE.parent / "architecture"
DRAWN = ("tautune", "tautune.trainables", "tautune.cluster")
"""The house, and the rooms which are large enough to have rooms of their own."""
BEGIN, END = "<!-- drawn: {} -->\n", "<!-- end -->"
ACROSS, UP = 1.6, 0.85
"""Distance between the middles of rooms and of floors, in inches."""
Arrows = list[tuple[str, str]]


def room_of(graph: grimp.ImportGraph, module: str, package: str) -> str | None:
    """Returns the room of `package` that a module lies in; None for what lies outside or is a single file.

    The files of the public interface, tautune/_*.py, are the room `tautune`.
    """
    if not module.startswith(f"{package}."):
        return None
    name = module.removeprefix(f"{package}.").split(".")[0]
    if package == "tautune" and re.match("_[a-z]", name):
        return "tautune"
    return name if graph.find_children(f"{package}.{name}") else None


def arrows() -> dict[str, Arrows]:
    """Returns which room of each package imports from which other one."""
    graph = grimp.build_graph("tautune", cache_dir=None, exclude_type_checking_imports=True)
    found: dict[str, set[tuple[str, str]]] = {package: set() for package in DRAWN}
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            for package, pairs in found.items():
                above, below = (room_of(graph, module, package) for module in (importer, imported))
                if above and below and above != below:
                    pairs.add((above, below))
    return {package: sorted(pairs) for package, pairs in found.items()}


def floors(pairs: Arrows) -> list[set[str]]:
    """Returns the rooms of each floor, the highest first: a room stands above all that it imports from."""
    circles = networkx.condensation(networkx.DiGraph(pairs))  # rooms that import from each other are one
    members = circles.nodes(data="members")
    return [set().union(*(members[one] for one in floor)) for floor in networkx.topological_generations(circles)]


def shown(pairs: Arrows) -> Arrows:
    """Returns the arrows without those to a room to which others lead already."""
    circles = networkx.condensation(networkx.DiGraph(pairs))
    own = circles.graph["mapping"]
    kept = set(networkx.transitive_reduction(circles).edges)
    return [(a, b) for a, b in pairs if own[a] == own[b] or (own[a], own[b]) in kept]


@styled
def picture(pairs: Arrows) -> Figure:
    """Draws the rooms on their floors."""
    drawn, places = shown(pairs), dict[str, tuple[float, float]]()
    for depth, floor in enumerate(floors(pairs)):
        above = {room: fmean([places[a][0] for a, b in drawn if b == room and a in places] or [0.0]) for room in floor}
        order = sorted(floor, key=lambda room: (above[room], room))
        places |= {room: (ACROSS * (i - (len(order) - 1) / 2), -UP * depth) for i, room in enumerate(order)}
    across, low = max(x for x, _ in places.values()) + ACROSS / 2, min(y for _, y in places.values()) - UP / 2
    figure = Figure(figsize=(2 * across, UP / 2 - low))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-across, across), ylim=(low, UP / 2))
    axes.set_axis_off()
    style: dict[str, Any] = {
        "ha": "center",
        "va": "center",
        "bbox": {"boxstyle": "round,pad=0.5", "fc": PAPER, "ec": FAINT},
    }
    boxes = {room: axes.text(*place, room, **style).get_bbox_patch() for room, place in places.items()}
    for one, other in drawn:
        line = {"arrowstyle": "-|>", "color": QUIET, "patchA": boxes[one], "patchB": boxes[other], "linewidth": 1}
        arrow = axes.annotate("", places[other], places[one], arrowprops=line).arrow_patch
        assert arrow is not None
        arrow.set_gid(f"{one}-to-{other}")
    return figure


def block(package: str, pairs: Arrows) -> str:
    """Returns what the page has of a package: the picture, and a row for each room that imports from others."""
    below = {room: ", ".join(f"`{other}`" for one, other in pairs if one == room) for room in dict(pairs)}
    image = f"![Rooms of {package}, with arrows to those they import from]({PICTURES.name}/{package}.svg)"
    rows = [f"| `{room}` | {others} |" for room, others in below.items()]
    return "\n".join([image, "", "| room | imports from |", "|---|---|", *rows, ""])


def drawn(page: str) -> str:
    """Returns the page with its drawings made anew."""
    for package, pairs in arrows().items():
        before, rest = page.split(BEGIN.format(package))
        page = before + BEGIN.format(package) + "\n" + block(package, pairs) + "\n" + END + rest.partition(END)[2]
    return page


def arrows_in(package: str) -> Arrows:
    """Returns the arrows of a package's picture as it is."""
    text = (PICTURES / f"{package}.svg").read_text()
    return sorted(re.findall(r'id="(\w+)-to-(\w+)"', text))


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
    PICTURES.mkdir(exist_ok=True)
    for package, pairs in arrows().items():
        (PICTURES / f"{package}.svg").write_bytes(saved(picture(pairs), "svg"))
