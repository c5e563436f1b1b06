"""The studies by name, one small file each."""

import difflib

from search_spaces import digits, digits_mlp, fashion_mnist_cnn, quadratic
from search_spaces.study import StabilityStudy, TuningStudy

STABILITY: dict[str, StabilityStudy] = {study.name: study for study in (digits.STUDY, quadratic.STUDY)}
TUNING: dict[str, TuningStudy] = {study.name: study for study in (digits_mlp.STUDY, fashion_mnist_cnn.STUDY)}


def find(name: str) -> StabilityStudy:
    """The study for `tautune sweep`. Raises ValueError, with the known names, if there is none."""
    if name not in STABILITY:
        raise ValueError(_unknown(name, list(STABILITY)))
    return STABILITY[name]


def find_tuning(name: str) -> TuningStudy:
    """The study for `tautune tune`. Raises ValueError, with the known names, if there is none."""
    if name not in TUNING:
        raise ValueError(_unknown(name, list(TUNING)))
    return TUNING[name]


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"study must be one of {', '.join(sorted(known))}, not {name!r}{hint}"
