"""`tautune.load`: reads the results of an earlier run from its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from tautune.records.errors import InputError
from tautune.records.files import read_json
from tautune.records.run_file import kind_of
from tautune.records.storage import Folder, folder_at
from tautune.records.typed import Object, Shape

if TYPE_CHECKING:
    from tautune._tune import TuningResult
    from tautune.analysis.edges import Edges
    from tautune.analysis.grids import GridSummary
    from tautune.analysis.probe import Probe
    from tautune.analysis.regret import Regret
    from tautune.analysis.thresholds import Thresholds


class _GridJson(TypedDict):
    study: str
    momentum: float
    shifted: bool
    sharpness: float


def load(path: str | Path) -> Thresholds | GridSummary | Edges | TuningResult | Regret | Probe:
    """Returns the results in a folder, as `tautune.sweep`, `grid`, `edge`, `tune`, `simulate` or `probe` returned them.

    Args:
        path: a folder that one of them wrote, or s3://…, gs://….

    Raises:
        InputError: the folder holds no results of tautune, or a file in it is missing or damaged.
    """
    folder = folder_at(str(path)).resolve()
    kind = kind_of(folder)
    if kind == "sweep":
        return _load_sweep(folder)
    if kind == "grid":
        return _load_grid(folder)
    if kind == "edge":
        return _load_edge(folder)
    if kind == "simulation":
        from tautune.analysis.regret import Regret, RegretJson

        return Regret.from_json(cast("Object", read_json(folder / "simulate.json", RegretJson)), folder)
    if kind == "probe":
        from tautune.analysis.probe import read_probe

        return read_probe(folder)
    from tautune._tune import tuning_result

    return tuning_result(folder)


def _load_sweep(folder: Folder) -> Thresholds:
    from tautune.analysis.thresholds import Thresholds, ThresholdsJson

    file, remedy = folder / "thresholds.json", "the same `tautune sweep` writes it again"
    content = cast("Object", _content(file, ThresholdsJson, remedy))
    try:
        return Thresholds.from_json(content, folder)
    except (TypeError, ValueError) as error:  # an unknown name, or a value out of its bounds
        raise InputError(f"{file} is damaged: {error}; {remedy}") from None


def _load_grid(folder: Folder) -> GridSummary:
    import numpy as np

    from tautune.analysis.grids import conclude
    from tautune.records.grid_folder import GridFolder
    from tautune.trainables.grid.point import OUTCOMES, POINTS
    from tautune.trainables.theory.momentum import Momentum

    file, rows = folder / "grid.json", GridFolder(folder, {}).rows()
    remedy = "the same `tautune grid` writes it again"
    content = _content(file, _GridJson, remedy)
    try:
        return conclude(
            np.array(list(rows), dtype=POINTS),
            np.array(list(rows.values()), dtype=OUTCOMES),
            study=content["study"],
            momentum=Momentum(content["momentum"], content["shifted"]),
            sharpness=content["sharpness"],
        ).at(folder)
    except ValueError as error:
        raise InputError(f"{file} is damaged: {error}; {remedy}") from None


def _load_edge(folder: Folder) -> Edges:
    from tautune.analysis.edges import EdgesJson, conclude
    from tautune.records.edge_folder import EdgeFolder

    remedy = "the same `tautune edge` writes it again"
    content = _content(folder / "edge.json", EdgesJson, remedy)
    return conclude(
        EdgeFolder(folder, {}).samples(),
        study=content["study"],
        optimizer=content["optimizer"],
        decay=content["decay"],
        steps=content["steps"],
        sharpness=content["sharpness"],
    ).at(folder)


def _content(file: Folder, shape: type[Shape], remedy: str) -> Shape:
    if not file.is_file():
        raise InputError(f"{file} is missing: the run was stopped before writing it; the same command continues")
    return read_json(file, shape, remedy=remedy)
