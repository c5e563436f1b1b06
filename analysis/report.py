"""Writes a run's conclusions into its folder: as JSON, as a figure, and as a summary for TensorBoard."""

import io
from typing import TYPE_CHECKING, Any

from tautune.analysis.grids import GridSummary
from tautune.analysis.pareto_figure import pareto_figure
from tautune.analysis.regret import Regret
from tautune.analysis.thresholds import Thresholds
from tautune.records.files import write_bytes, write_json
from tautune.records.storage import Folder, written_locally
from tautune.trainables.goal import Goal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 130
GRID_SCALARS = ("best_learning_rate", "best_loss", "best_accuracy", "largest_learning_rate", "theory")


def write_thresholds(thresholds: Thresholds, folder: Folder) -> None:
    """Writes thresholds.json, thresholds.png and TensorBoard's summary/ into a sweep's folder."""
    write_json(folder / "thresholds.json", thresholds.as_json())
    picture = _png(thresholds.plot())
    write_bytes(folder / "thresholds.png", picture)
    scalars = []
    for point in thresholds.points:
        for name, rate in {"measured": point.measured, "predicted": point.predicted}.items():
            scalars.append((f"threshold/{name}_learning_rate", rate, point.delay))
            scalars.append((f"threshold/{name}_inverse", 1 / rate, 2 * point.delay + 1))
        scalars.append(("threshold/relative_error", point.relative_error, point.delay))
    _write_summary(folder / "summary", scalars, "thresholds", picture)


def write_grid(grid: GridSummary, folder: Folder) -> None:
    """Writes grid.json, grid.png and TensorBoard's summary/ into a grid's folder."""
    write_json(folder / "grid.json", grid.as_json())
    picture = _png(grid.plot())
    write_bytes(folder / "grid.png", picture)
    values = [(f"grid/{name}", getattr(row, name), row.delay) for row in grid.rows for name in GRID_SCALARS]
    _write_summary(folder / "summary", [value for value in values if value[1] is not None], "grid", picture)


def write_regret(regret: Regret, folder: Folder) -> None:
    """Writes simulate.json, simulate.csv and simulate.png into a simulation's folder."""
    write_json(folder / "simulate.json", regret.as_json())
    write_bytes(folder / "simulate.csv", regret.to_frame().to_csv(index=False).encode())
    write_bytes(folder / "simulate.png", _png(regret.plot()))


def write_pareto(rows: list[dict[str, Any]], goal: Goal, folder: Folder) -> None:
    """Writes pareto.png into the folder of a tuning with several goals."""
    write_bytes(folder / "pareto.png", _png(pareto_figure(rows, goal)))


def _png(figure: "Figure") -> bytes:
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=DOTS_PER_INCH)
    return picture.getvalue()


def _write_summary(path: Folder, scalars: list[tuple[str, float, int]], tag: str, picture: bytes) -> None:
    import numpy as np
    from PIL import Image
    from torch.utils.tensorboard import SummaryWriter

    with written_locally(path) as folder, SummaryWriter(str(folder)) as writer:
        for name, value, step in scalars:
            writer.add_scalar(name, value, step)
        writer.add_image(tag, np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")), dataformats="HWC")
