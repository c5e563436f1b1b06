"""Writes a run's conclusions into its folder: as JSON, as a figure, and as what TensorBoard shows."""

from typing import Any

from tautune.analysis.board import PANEL_DOTS, png_of, show_grid, show_pareto, show_thresholds
from tautune.analysis.edge_board import show_edge
from tautune.analysis.edges import Edges
from tautune.analysis.figure_style import DOTS_PER_INCH
from tautune.analysis.grids import GridSummary
from tautune.analysis.pareto_figure import pareto_figure
from tautune.analysis.probe import Probe
from tautune.analysis.regret import Regret
from tautune.analysis.thresholds import Thresholds
from tautune.records.files import write_bytes, write_json
from tautune.records.storage import Folder
from tautune.trainables.goal import Goal


def write_thresholds(thresholds: Thresholds, folder: Folder) -> None:
    """Writes thresholds.json, thresholds.png and TensorBoard's events into a sweep's folder."""
    write_json(folder / "thresholds.json", thresholds.as_json())
    write_bytes(folder / "thresholds.png", png_of(thresholds.plot(), DOTS_PER_INCH))
    show_thresholds(thresholds, folder)


def write_grid(grid: GridSummary, folder: Folder) -> None:
    """Writes grid.json, grid.png and TensorBoard's events into a grid's folder."""
    write_json(folder / "grid.json", grid.as_json())
    picture = png_of(grid.plot(), DOTS_PER_INCH)
    write_bytes(folder / "grid.png", picture)
    show_grid(grid, folder, picture)


def write_edge(edges: Edges, folder: Folder) -> None:
    """Writes edge.json, edge.png and TensorBoard's events into the folder of trainings at their edge."""
    write_json(folder / "edge.json", edges.as_json())
    from tautune.analysis.edge_figure import curves_figure, settled_figure

    write_bytes(folder / "edge.png", png_of(edges.plot(), DOTS_PER_INCH))
    panels = {"edge": curves_figure(edges), "settled": settled_figure(edges)}
    show_edge(edges, folder, {name: png_of(figure, PANEL_DOTS) for name, figure in panels.items()})


def write_probe(found: Probe, folder: Folder) -> None:
    """Writes probe.json and probe.png into a probe's folder."""
    write_json(folder / "probe.json", found.as_json())
    write_bytes(folder / "probe.png", png_of(found.plot(), DOTS_PER_INCH))


def write_regret(regret: Regret, folder: Folder) -> None:
    """Writes simulate.json, simulate.csv and simulate.png into a simulation's folder."""
    write_json(folder / "simulate.json", regret.as_json())
    write_bytes(folder / "simulate.csv", regret.to_frame().to_csv(index=False).encode())
    write_bytes(folder / "simulate.png", png_of(regret.plot(), DOTS_PER_INCH))


def write_pareto(rows: list[dict[str, Any]], goal: Goal, folder: Folder) -> None:
    """Writes pareto.png into the folder of a tuning with several goals."""
    picture = png_of(pareto_figure(rows, goal), DOTS_PER_INCH)
    write_bytes(folder / "pareto.png", picture)
    show_pareto(picture, folder, len(rows))
