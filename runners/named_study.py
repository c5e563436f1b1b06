"""A study that a sweep or a grid is given by its name, by its file, or itself: what is known of it without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tautune.runners.shared import check_mini_batch
from tautune.search_spaces.catalogue import CATALOGUE, check_study

if TYPE_CHECKING:
    from tautune.search_spaces.stability_study import StabilityStudy


def study_name(study: StabilityStudy | str) -> str:
    """Returns the study's name, or the name of its file."""
    return Path(study).stem if isinstance(study, str) else study.name


def known_name(study: StabilityStudy | str) -> dict[str, str]:
    """Returns {"study": its name}, or nothing for a file, which gives its study a name of its own."""
    return {} if isinstance(study, str) and not is_built_in(study) else {"study": study_name(study)}


def is_built_in(study: StabilityStudy | str) -> bool:
    """Returns whether the study is one of ours, whose module cannot be at fault."""
    return isinstance(study, str) and study in CATALOGUE


def check_named_study(study: StabilityStudy | str, command: str, mini_batch: int | None) -> None:
    """Raises ValueError if the command cannot take the study, or if the mini-batch is no part of its data."""
    if not isinstance(study, str) and not hasattr(study, "problem"):
        raise ValueError(f"study must be a tautune.StabilityStudy, the name of one, or a file, not {study!r}")
    if isinstance(study, str):
        check_study(study, command)
        entry = CATALOGUE.get(study)
        if entry and entry.examples:
            check_mini_batch(mini_batch, study, entry.examples)
