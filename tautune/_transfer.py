"""`tautune.transfer`: the best configuration of a tuning without delay, at a delay."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tautune._tuning_result import Place
from tautune.records.errors import user_input
from tautune.records.storage import folder_at
from tautune.records.tuning_folder import check_new
from tautune.trainables.theory.delays import as_delays
from tautune.trainables.theory.stability import check_positive

if TYPE_CHECKING:
    from tautune.search_spaces.tuning_study import TuningStudy


def transfer(
    path: Place,
    delay: Any,
    *,
    keep: bool = False,
    sharpness: float | None = None,
    output: str | Path | None = None,
    study: TuningStudy | None = None,
    trust: bool = False,
) -> dict[str, Any]:
    """Carries the best configuration of a tuning without delay to a delay.

    The learning rate stays, but at most at half of what theory says is stable at the curvature where training begins,
    which is measured; that of Adam and its kin falls as what is stable does. Momentum, optimizer or remedy change where
    `advise` has something against them at that delay.

    Args:
        delay: τ in steps, {d: probability} of delays that are drawn, or a sequence of recorded ones.
        keep: whether optimizer and momentum stay, without a remedy.
        sharpness: curvature where training begins, the largest eigenvalue of the loss's Hessian, if it is known.
        output: new folder for the configuration, which `refit` takes; by default beside the tuning's.
        study, trust: as in `resume`. Where the study cannot be found, its data are missing or its curvature cannot be
            computed, `why` says so, and the learning rate falls as what is stable does.

    Returns:
        `learning_rate`, `momentum`, `optimizer`, `remedy`, `delay`, `curvature`, `why`, the whole `config`, and the
        `path` of the folder.

    Raises:
        InputError: there is no finished tuning, its best has a delay already, theory does not know its optimizer, or
            the folder for the configuration is not new.
    """
    from tautune.runners.transfer import plan_transfer, write_transfer

    folder = folder_at(str(path))
    with user_input():
        delays = as_delays(delay)
        if sharpness is not None:
            check_positive("sharpness", sharpness)
    late = f"delay-{delays.maximum}" if delays.is_fixed else f"delays-{delays.steps[0]}-{delays.maximum}"
    named = folder if folder.name else folder.resolve()  # "." has no name
    place = folder_at(str(output)) if output else named.with_name(f"{named.name}-{late}")
    check_new(place)
    found = plan_transfer(folder, delays, keep=keep, sharpness=sharpness, study=study, trust=trust)
    write_transfer(found, place)
    return found.as_json() | {"path": str(place)}
