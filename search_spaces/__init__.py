"""The studies by name, one small file each. Their modules are imported only when they are asked for."""

from importlib import import_module
from typing import TYPE_CHECKING

from tautune.search_spaces.catalogue import CATALOGUE, MEASURED, TUNED, check_study

if TYPE_CHECKING:
    from tautune.search_spaces.loop_study import LoopStudy
    from tautune.search_spaces.stability_study import StabilityStudy
    from tautune.search_spaces.tuning_study import TuningStudy

REGISTERED: dict[str, "StabilityStudy | TuningStudy | LoopStudy"] = {}
"""Further studies by name, which are found first; tests put theirs here."""


def find(name: str, command: str = "sweep") -> "StabilityStudy":
    """Returns the StabilityStudy of that name, or the one in the file NAME.py.

    Raises:
        ValueError: there is none, with the nearest names; it is a TuningStudy; or the file cannot be used.
    """
    from tautune.search_spaces.stability_study import StabilityStudy

    study = _load(name, command)
    if not isinstance(study, StabilityStudy):
        raise ValueError(f"{name} is a {type(study).__name__}: use `tautune {TUNED[0]}`")
    return study


def find_tuning(name: str) -> "TuningStudy | LoopStudy":
    """Returns the TuningStudy or LoopStudy of that name, or the one in the file NAME.py.

    Raises:
        ValueError: there is none, with the nearest names; it is a StabilityStudy; or the file cannot be used.
    """
    from tautune.search_spaces.loop_study import LoopStudy
    from tautune.search_spaces.tuning_study import TuningStudy

    study = _load(name, TUNED[0])
    if not isinstance(study, TuningStudy | LoopStudy):
        raise ValueError(f"{name} is a StabilityStudy: use {' or '.join(f'`tautune {c}`' for c in MEASURED)}")
    return study


def _load(name: str, command: str) -> "StabilityStudy | TuningStudy | LoopStudy":
    if name in REGISTERED:
        return REGISTERED[name]
    check_study(name, command)
    if name.endswith(".py"):
        from tautune.search_spaces.user_study import load_user_study

        return load_user_study(name)
    built_in: StabilityStudy | TuningStudy = import_module(f"tautune.search_spaces.{CATALOGUE[name].module}").STUDY
    return built_in
