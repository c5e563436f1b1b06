"""The studies by name, one small file each."""

from search_spaces import digits, quadratic
from search_spaces.study import StabilityStudy

STUDIES: dict[str, StabilityStudy] = {study.name: study for study in (digits.STUDY, quadratic.STUDY)}


def find(name: str) -> StabilityStudy:
    """Raises ValueError, with the known names, if there is no such study."""
    try:
        return STUDIES[name]
    except KeyError:
        raise ValueError(f"study must be one of {', '.join(sorted(STUDIES))}, not {name!r}") from None
