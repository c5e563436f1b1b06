"""Names that are checked against those known."""

import difflib
from collections.abc import Iterable


def check_name(kind: str, name: str, known: Iterable[str]) -> None:
    """Raises ValueError, with the nearest names, if it is not one of those known."""
    names = sorted(known)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(names)}"
        raise ValueError(f"{kind} {name!r} is unknown; {hint}")
